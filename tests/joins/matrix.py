"""One row of the matrix of joins, from files to a verdict."""

import functools
import pathlib

import numpy as np

from tests.joins import answers, image_kinds, networks
from tests.joins.rows import Row
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog

# Sums of 256 channels in another order, folded batch norm and Winograd's transforms: up to 2e-5 of
# the largest logit was seen. Another pixel, channel order or statistic gives 1e-3 and more.
TOLERANCE = 1e-4
# TensorFlow decodes and resizes in the graph what Pillow does on the host: a JPEG file with halved
# chroma may differ by one level of 255 in single pixels.
FILES_TOLERANCE = 5e-3
# The host encodes a turned JPEG file again, as the converter does, and the graph does not: 1.2 % of
# the largest logit was seen. Without turning it differed by 6 %.
TURNED, TURNED_TOLERANCE = 'exif_6.jpg', 3e-2
_FILES_OF_FULL_ROWS = ('rgb.jpg', 'exif_6.jpg', 'rgba.png')
_NOT_IN_TENSORFLOW = ('cmyk.jpg', 'still.webp')  # the signature for files refuses them in words


@functools.cache
def make_data(
  folder: pathlib.Path, side: int, kinds: tuple[str, ...] = ()
) -> tuple[str, str, dict[str, pathlib.Path]]:
  """Converts a folder of image files, by default of every kind.

  Returns:
    The data set's folder and fingerprint, and the path of each file by its name.
  """
  files = {}
  for label, class_name in enumerate(networks.CLASS_NAMES):
    (folder / 'images' / class_name).mkdir(parents=True)
    made = image_kinds.make_files(label, side)
    for name in sorted(kinds or made)[label::2]:  # half of the kinds in each class
      files[name] = folder / 'images' / class_name / name
      files[name].write_bytes(made[name])
  source = catalog.open_source('folder', str(folder / 'images'))
  manifest = converter.convert(source, folder / 'data', converter.Options(SplitRule(0.0)))
  return str(folder / 'data'), manifest.fingerprint, files


def check_row(row: Row, folder: pathlib.Path, data_folder: pathlib.Path) -> None:
  """Asserts that every way to an answer gives that of the plain network."""
  scale = row.side + 32
  side = scale * 3 // 2 if row.images == 'reduced' else scale * 3 // 4
  kinds = _FILES_OF_FULL_ROWS if row.is_full else ()
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
  wanted = expected.middle if row.export == 'tflite' else expected.straight
  expected_of_files = {name: wanted[name] for name in exported}
  if row.export != 'saved_model_files':
    _check_same(row.export, exported, expected_of_files, TOLERANCE)
    return
  _check_same(row.export, exported, expected_of_files, TURNED_TOLERANCE)
  for scores in (exported, expected_of_files):
    del scores[TURNED]
  _check_same(row.export, exported, expected_of_files, FILES_TOLERANCE)


def _check_same(
  what: str, found: answers.Scores, expected: answers.Scores, tolerance: float
) -> None:
  """Asserts equal logits to a share of the largest, and the same class where that is decided."""
  assert sorted(found) == sorted(expected), what
  largest = max(np.abs(scores).max() for scores in expected.values())
  for name, scores in expected.items():
    difference = np.abs(found[name] - scores).max() / largest
    assert difference <= tolerance, f'{what}, {name}: {found[name]}, expected {scores}'
    low, high = np.sort(scores)[-2:]
    if high - low > 2 * tolerance * largest:
      assert np.argmax(found[name]) == np.argmax(scores), f'{what}, {name}'
