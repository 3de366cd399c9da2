import pathlib
import pickle
import tempfile

import numpy as np
import pytest

from vgg_slim.benchmarks import conversion_step, turns, worker
from vgg_slim.benchmarks.turns import Case
from vgg_slim.benchmarks.workload import Workload

LOAD = Workload('convert', 'vgg16', batch_size=20, image_size=8, threads=1)


def test_noise_images_are_distinct_and_finite_in_number():
  images = conversion_step.NoiseImages(12, 8)
  pixels = [pickle.loads(pickle.dumps(image)).read() for image in images]
  assert len(pixels) == len(images) == 12
  assert {(each.shape, each.dtype) for each in pixels} == {((8, 8, 3), np.dtype(np.uint8))}
  assert len({each.tobytes() for each in pixels}) == 12
  assert len({image.name for image in images}) == 12
  assert [image.label for image in images] == [0, 1] * 6
  with pytest.raises(IndexError):
    images[12]


def test_a_step_writes_a_whole_data_set_and_deletes_it(monkeypatch, tmp_path):
  calls = []
  real = conversion_step.converter.convert

  def convert(source, folder, num_workers):
    manifest = real(source, folder, num_workers=num_workers)
    written = sum(path.stat().st_size for path in pathlib.Path(folder).glob('*.tfrecord'))
    calls.append((manifest, written, num_workers))
    return manifest

  monkeypatch.setattr(conversion_step.converter, 'convert', convert)
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  conversion_step.build_step(LOAD)()
  ((manifest, written, num_workers),) = calls
  assert {name: split.num_examples for name, split in manifest.splits.items()} == {
    'train': 16,
    'validation': 4,
  }
  assert written > 20 * 8 * 8 * 3  # noise cannot be compressed
  assert num_workers == 1
  assert list(tmp_path.iterdir()) == []


def test_the_converting_process_does_not_load_tensorflow():
  (outcome,) = turns.run_turns([Case('vgg_slim', LOAD)], 1, 10, 1, worker.__name__)
  assert len(outcome.seconds) == 1
  # NumPy, Pillow and matplotlib take 130 MB; TensorFlow alone takes more than 300 MB.
  assert outcome.peak_bytes is None or outcome.peak_bytes < 300e6
