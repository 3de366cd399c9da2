import io

import numpy as np
import PIL.Image
import pytest

from tests.export.fabricated import CONTRACT
from tests.testing import make_data_set
from vgg_slim.errors import DataError
from vgg_slim.export import samples


def png(pixels):
  buffer = io.BytesIO()
  PIL.Image.fromarray(pixels).save(buffer, 'PNG')
  return buffer.getvalue()


def test_the_default_images_are_two_photographs_and_two_digits():
  images = [PIL.Image.open(io.BytesIO(encoded)) for encoded in samples.default_images().values()]
  assert [image.size for image in images] == [(640, 427), (640, 427), (8, 8), (8, 8)]


def test_images_of_a_folder_are_sampled_evenly_over_its_classes(tmp_path):
  for name in ('a', 'b', 'c'):
    (tmp_path / name).mkdir()
    for i in range(4):
      value = 10 * (ord(name) - ord('a')) + i
      (tmp_path / name / f'{i}.PNG').write_bytes(png(np.full([2, 2, 3], value, np.uint8)))
  (tmp_path / 'notes.txt').write_text('not an image')
  files = samples.read_images(str(tmp_path), 3)
  values = [np.asarray(PIL.Image.open(io.BytesIO(data)))[0, 0, 0] for data in files.values()]
  assert values == [0, 10, 20]
  assert list(files) == [str(tmp_path / name / '0.PNG') for name in ('a', 'b', 'c')]
  assert len(samples.read_images(str(tmp_path), 5)) == 4  # every third image
  assert len(samples.read_images(str(tmp_path), 100)) == 12


def test_a_converted_data_set_gives_its_training_images(tmp_path):
  folder, manifest = make_data_set(tmp_path / 'data')
  files = samples.read_images(folder, 7)
  assert len(set(files.values())) == 7
  assert all(name.startswith(f'image {i} of {folder}') for i, name in enumerate(files))
  assert len(samples.read_images(folder, 1000)) == manifest.split('train').num_examples


def test_a_folder_without_images_and_a_damaged_image_are_named(tmp_path):
  with pytest.raises(DataError, match='holds no images'):
    samples.read_images(str(tmp_path), 4)
  (tmp_path / 'c.png').write_bytes(b'')
  with pytest.raises(DataError, match='c.png cannot be read: the file is empty'):
    samples.read_images(str(tmp_path), 4)


def test_crops_are_central_squares_of_the_resized_image():
  pixels = np.random.default_rng(0).integers(
    0, 256, [CONTRACT.preprocessing.test_scale, 50, 3], np.uint8
  )
  (crop,) = samples.prepare_crops(CONTRACT, [png(pixels)])
  top, left = (CONTRACT.preprocessing.test_scale - 32) // 2, (50 - 32) // 2
  np.testing.assert_array_equal(crop, pixels[top : top + 32, left : left + 32])


def test_files_of_unusual_kinds_match_their_descriptions():
  photograph = samples.default_images()['china.jpg']
  files = samples.make_odd_files(photograph)
  rotated, transparent, deep, palette = (PIL.Image.open(io.BytesIO(d)) for d in files.values())
  assert (rotated.format, rotated.getexif()[0x0112]) == ('JPEG', 6)
  assert (transparent.mode, transparent.getextrema()[3]) == ('RGBA', (0, 255))
  assert deep.mode == 'I;16'
  assert palette.mode == 'P'


def test_jpeg_files_are_read_unchanged_and_webp_files_as_png(tmp_path):
  data = samples.make_odd_files(samples.default_images()['china.jpg'])['JPEG file rotated by EXIF']
  (tmp_path / 'a.jpg').write_bytes(data)
  PIL.Image.open(io.BytesIO(data)).save(tmp_path / 'b.webp')
  jpeg, webp = samples.read_images(str(tmp_path), 4).values()
  assert jpeg == data
  assert webp.startswith(b'\x89PNG')


def test_all_images_that_would_be_too_large_are_named():
  images = {
    'a.png': png(np.zeros([2, 300, 3], np.uint8)),
    'b.png': png(np.zeros([9, 9, 3], np.uint8)),
  }
  samples.check_sizes(images, 160)
  with pytest.raises(
    DataError, match=r'of 256 pixels, a.png \(300 x 2\) would have more than 4194304'
  ):
    samples.check_sizes(images, 256)
  images['c.png'] = png(np.zeros([400, 2, 3], np.uint8))
  with pytest.raises(DataError, match=r'a.png \(300 x 2\), c.png \(2 x 400\) would'):
    samples.check_sizes(images, 256)
