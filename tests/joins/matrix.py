"""The check of one row of the matrix of joins."""

import functools
import pathlib

import numpy as np

from tests.joins import answers, image_kinds, networks
from tests.joins.rows import Row
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog

# Sums of 256 channels in another order, folded batch norm and Winograd's transforms caused errors
# up to 2e-5 of the largest logit. A wrong pixel, channel order or statistic causes 1e-3 or more.
TOLERANCE = 1e-4
# The graph decodes and resizes with TensorFlow, the host with Pillow: single pixels of a JPEG file
# with chroma subsampling may differ by one level of 255.
FILES_TOLERANCE = 5e-3
# Unlike the graph, the host encodes a rotated JPEG file again, as the converter does, which caused
# errors of 1.2 % of the largest logit. Without the rotation the error was 6 %.
ROTATED, ROTATED_TOLERANCE = 'exif_6.jpg', 3e-2
# 50 crops for each of all files: those of 224 pixels alone took a third of the time of the matrix.
_FILES_OF_COSTLY_ROWS = ('rgb.jpg', 'exif_6.jpg', 'rgba.png')
_NOT_IN_TENSORFLOW = ('cmyk.jpg', 'still.webp')  # refused by the signature for files


@functools.cache
def make_data(
  folder: pathlib.Path, side: int, kinds: tuple[str, ...] = ()
) -> tuple[str, str, dict[str, pathlib.Path]]:
  """Converts a folder of image files.

  Args:
    folder: folder to create for the images and the data set.
    side: smaller side of the images, in pixels.
    kinds: names of the files, see `image_kinds.make_files`; empty for all.

  Returns:
    The folder and fingerprint of the data set, and the path of each file by its name.
  """
  files = {}
  for label, class_name in enumerate(networks.CLASS_NAMES):
    (folder / 'images' / class_name).mkdir(parents=True)
    made = image_kinds.make_files(label, side)
    for name in sorted(kinds or made)[label::2]:  # half of the files in each class
      files[name] = folder / 'images' / class_name / name
      files[name].write_bytes(made[name])
  source = catalog.open_source('folder', str(folder / 'images'))
  manifest = converter.convert(source, folder / 'data', converter.Options(SplitRule(0.0)))
  return str(folder / 'data'), manifest.fingerprint, files


def check_row(row: Row, folder: pathlib.Path, data_folder: pathlib.Path) -> None:
  """Asserts that evaluation, prediction and export give the scores of the plain network."""
  scale = row.side + 32
  side = scale * 3 // 2 if row.images == 'reduced' else scale * 3 // 4
  is_costly = row.is_full or (row.side >= 160 and 'multi_crop' in row.views)
  kinds = _FILES_OF_COSTLY_ROWS if is_costly else ()
  data_dir, fingerprint, files = make_data(data_folder / f'{side}_{len(kinds)}', side, kinds)
  path = networks.make_checkpoint(row, folder / 'run', data_dir, fingerprint)
  encoded = {name: file.read_bytes() for name, file in files.items()}

  expected = answers.run_reference(path, encoded, row)

  for view, scores in answers.run_evaluation(path, data_dir, row).items():
    _check_same(f'evaluate {view}', scores, expected.logits[view], TOLERANCE)
  predicted = answers.run_prediction(path, list(files.values()), row)
  _check_same('predict', predicted, expected.probabilities, TOLERANCE)
  if row.export == 'saved_model_files':
    encoded = {n: data for n, data in encoded.items() if n not in _NOT_IN_TENSORFLOW}
  exported = answers.run_export(path, row, folder / 'export', encoded, expected)
  wanted = expected.central if row.export == 'tflite' else expected.whole
  expected_of_files = {name: wanted[name] for name in exported}
  if row.export != 'saved_model_files':
    _check_same(row.export, exported, expected_of_files, TOLERANCE)
    return
  _check_same(row.export, exported, expected_of_files, ROTATED_TOLERANCE)
  for scores in (exported, expected_of_files):
    del scores[ROTATED]
  _check_same(row.export, exported, expected_of_files, FILES_TOLERANCE)


def _check_same(what: str, got: answers.Scores, expected: answers.Scores, tolerance: float) -> None:
  """Asserts that scores agree to a fraction of the largest, and predict the same class.

  The class is not compared where the two largest scores are closer than the tolerance.
  """
  assert sorted(got) == sorted(expected), what
  largest = max(np.abs(scores).max() for scores in expected.values())
  for name, scores in expected.items():
    difference = np.abs(got[name] - scores).max() / largest
    assert difference <= tolerance, f'{what}, {name}: {got[name]}, expected {scores}'
    low, high = np.sort(scores)[-2:]
    if high - low > 2 * tolerance * largest:
      assert np.argmax(got[name]) == np.argmax(scores), f'{what}, {name}'
