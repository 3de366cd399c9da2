import pytest

from vgg_slim.data import path_hints


def test_images_are_found_as_deep_as_the_converter_expects_them(tmp_path):
  folder = tmp_path / 'train' / 'cat' / 'more'
  folder.mkdir(parents=True)
  (folder / '0.png').touch()
  assert path_hints.conversion(tmp_path) == ''
  (folder.parent / '0.png').touch()
  assert path_hints.conversion(tmp_path)


@pytest.mark.parametrize(
  ('folder', 'where', 'output'),
  [
    ('photos', '.', 'data/photos'),
    ('elsewhere', '.', 'data/elsewhere_converted'),
    ('.', 'photos', '../photos_converted'),
    ('..', 'photos/cat', '../../photos_converted'),
    ('data', '.', 'data_converted'),
    ('taken', '.', 'data/taken_converted_3'),
  ],
)
def test_converted_images_are_outside_their_folder(tmp_path, monkeypatch, folder, where, output):
  (tmp_path / 'photos' / 'cat').mkdir(parents=True)
  (tmp_path / 'photos' / 'cat' / '0.png').touch()
  (tmp_path / 'data' / 'elsewhere').mkdir(parents=True)
  for name in ('taken', 'taken_converted', 'taken_converted_2'):
    (tmp_path / 'data' / name).mkdir()
  monkeypatch.chdir(tmp_path / where)
  assert path_hints.output_for(folder) == output
  if where != '.':
    assert f'--input_dir={folder} --output_dir={output}' in path_hints.conversion(folder)
