import functools
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.compat import tf
from vgg_slim.data.conversion import audit, preparation
from vgg_slim.data.sources.labeled_images import LabeledImage
from vgg_slim.preprocessing import image_formats

RGB = fabricated.pixels(0, 9, 12)
PNG = fabricated.encoded(RGB)


def prepare(*contents, extension='.png', **options):
  images = [
    LabeledImage(f'b/{i}{extension}', 1, functools.partial(lambda data: data, data))
    for i, data in enumerate(contents)
  ]
  return preparation.prepare(preparation.Task(images, ('a', 'b'), **options))


def features_of(frame):
  record = frame[12:-4]  # between length and checksums
  features = tf.train.Example.FromString(record).features.feature
  return {
    name.removeprefix('image/'): (value.bytes_list.value or value.int64_list.value)[0]
    for name, value in features.items()
  }


def test_good_images_become_examples_and_broken_ones_are_quarantined():
  examples, task_audit = prepare(PNG, b'', PNG)
  assert [features_of(example)['filename'] for example in examples] == [b'b/0.png', b'b/2.png']
  assert features_of(examples[0]) == {
    'encoded': PNG,
    'format': b'png',
    'filename': b'b/0.png',
    'class/label': 1,
    'class/text': b'b',
    'height': 9,
    'width': 12,
  }
  reason = f'the file is empty; {image_formats.GET_AGAIN}'
  assert task_audit.quarantined == [audit.Note('b/1.png', 1, reason)]
  assert task_audit.moments[0].tolist() == (2 * np.array(fabricated.moments_by_loops(RGB))).tolist()
  assert audit.group_duplicates(task_audit.digests) == [[0, 2]]
  assert (task_audit.num_images, task_audit.num_good) == (3, 2)


def test_arrays_become_png_and_are_reduced_on_request():
  (example,), task_audit = prepare(RGB)
  decoded = np.asarray(Image.open(io.BytesIO(features_of(example)['encoded'])))
  np.testing.assert_array_equal(decoded, RGB)
  (small,), task_audit = prepare(RGB, storage=preparation.Storage(3))
  assert (task_audit.heights, task_audit.widths) == ((3, 3), (4, 4))
  assert (features_of(small)['height'], features_of(small)['width']) == (3, 4)


def test_a_wrong_extension_is_noted_and_the_bytes_are_kept():
  (example,), task_audit = prepare(PNG, extension='.JPG')
  assert features_of(example)['encoded'] == PNG
  assert task_audit.fixed == [audit.Note('b/0.JPG', 1, 'PNG file named .jpg')]


def large(seed):
  """A JPEG file that is large enough for eighth-scale decoding."""
  return fabricated.encoded(fabricated.pixels(seed, 128, 160), 'JPEG')


@pytest.mark.parametrize(
  ('options', 'counts'),
  [
    # Images counted whole, sampled by pixels, sampled by block means, others by block means.
    ({}, [4, 0, 0, 0]),
    ({'sampled': [1]}, [0, 1, 1, 3]),
    ({'sampled': [1], 'on_sheet': [0, 1]}, [2, 0, 0, 2]),
    ({'sampled': [1], 'storage': preparation.Storage(16)}, [4, 0, 0, 0]),
    ({'count_pixels': False}, [0, 0, 0, 0]),
  ],
)
def test_moments_of_large_jpeg_files(options, counts):
  frames, task_audit = prepare(*map(large, range(4)), extension='.jpg', **options)
  size = (16, 20) if 'storage' in options else (128, 160)
  whole, eighth = size[0] * size[1], 16 * 20
  assert (task_audit.moments[:, 0, 0] / (whole, whole, eighth, eighth)).tolist() == counts
  assert (task_audit.heights, task_audit.widths) == tuple((side, side) for side in size)
  if 'storage' not in options:
    assert [features_of(frame)['encoded'] for frame in frames] == [large(i) for i in range(4)]


def test_thumbnails_of_requested_images():
  _, task_audit = prepare(PNG, PNG, PNG, on_sheet=(1,))
  ((name, label, jpeg),) = task_audit.thumbnails
  assert (name, label) == ('b/1.png', 1)
  assert Image.open(io.BytesIO(jpeg)).size == (12, 9)


def test_worker_processes_do_not_import_tensorflow():
  program = (
    'import sys, vgg_slim.data.conversion.preparation; '
    'sys.exit("tensorflow" in sys.modules or "sklearn" in sys.modules)'
  )
  subprocess.run(
    [sys.executable, '-c', program], check=True, env={'PYTHONPATH': ':'.join(sys.path)}, timeout=300
  )
