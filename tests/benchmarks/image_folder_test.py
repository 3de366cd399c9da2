import pathlib

from tests.data import fabricated
from tests.testing import make_data_set
from vgg_slim.benchmarks import image_folder
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog


def test_training_images_keep_their_bytes_in_the_folder_of_their_label(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'cat': 3, 'dog': 4}, 'JPEG', '.jpg')
  converter.convert(
    catalog.open_source('folder', root), tmp_path / 'out', converter.Options(SplitRule(0))
  )
  with image_folder.make_folder(str(tmp_path / 'out')) as folder:
    for label, class_name in enumerate(('cat', 'dog')):
      written = pathlib.Path(folder, f'{label:04d}').glob('*.jpeg')
      assert sorted(path.read_bytes() for path in written) == sorted(
        path.read_bytes() for path in (root / class_name).iterdir()
      )


def test_the_folder_is_deleted_after_its_last_batch(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data')
  folder = image_folder.make_folder(data_dir)
  path = pathlib.Path(folder.name)
  batches = image_folder.iterate([1, 2], folder)
  del folder
  assert next(batches) == 1
  assert path.exists()
  assert list(batches) == [2]
  assert not path.exists()
