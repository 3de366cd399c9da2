"""Whether what a command wrote is what it writes when nothing happens to it."""

import csv
import pathlib
import re
from collections.abc import Iterator

import h5py
import numpy as np

from tests.faults.subjects import OLD, Subject
from vgg_slim.compat import tf
from vgg_slim.training import history

_LEFT_OUT = ('events.', '__autograph_generated_file')
# Rates, which differ from run to run, in outputs of tools/evaluate.
_CHANGING = {
  '.output': re.compile(r'"images_per_second": [\d.]+'),
  '.report': re.compile(r'[\d.]+</td></tr>'),
}


def check_same(expected: pathlib.Path, found: pathlib.Path) -> None:
  """Raises AssertionError where two files, or folders of files, differ in names or content."""
  names, others = list(list_files(expected)), list(list_files(found))
  assert names == others, f'{sorted({*names} ^ {*others})} are in one of {expected}, {found} alone'
  for name in names:
    _check_same_file(expected / name, found / name)


def check_outputs(subject: Subject, whole: pathlib.Path, folder: pathlib.Path) -> set[str]:
  """Returns the files of the outputs that are there; raises AssertionError for a half-made one.

  Args:
    subject: the command.
    whole: folder of what the command writes.
    folder: folder in which each output is that of `whole`, or what `Subject.prepare` made of it.
  """
  written = set()
  for name in subject.outputs:
    path = folder / name
    if not path.exists():
      assert name not in subject.replaced, f'{path} is gone.'
    elif not (name in subject.replaced and path.read_text(errors='replace') == OLD):
      for part in _parts(whole / name):
        check_same(part, folder / part.relative_to(whole))
        written.add(part.relative_to(whole).as_posix())
  return written


def _parts(path: pathlib.Path) -> list[pathlib.Path]:
  """The files that belong to an output: to an index, those of its checkpoint."""
  return sorted(path.parent.glob(f'{path.stem}.*')) if path.suffix == '.index' else [path]


def list_files(path: pathlib.Path) -> Iterator[str]:
  """Yields the files of a folder relative to it, and empty folders; '' for a file itself.

  TensorBoard's files are left out, because every process begins one of its own, and those that
  TensorFlow itself leaves in the temporary folder.
  """
  if not path.is_dir():
    yield ''
    return
  for one in sorted(path.rglob('*')):
    is_empty = one.is_dir() and not any(one.iterdir())
    if one.name != 'tmp' and (is_empty or not one.is_dir()) and not one.name.startswith(_LEFT_OUT):
      yield one.relative_to(path).as_posix()


def _check_same_file(expected: pathlib.Path, found: pathlib.Path) -> None:
  if expected.is_dir() or '.data-' in expected.name:  # the numbers of which are read by the index
    return
  if expected.suffix == '.index':
    check_same_variables(expected, found)
  elif expected.name == history.METRICS_FILE:
    assert read_metrics(expected) == read_metrics(found), found
  elif expected.suffix == '.h5':
    _check_same_arrays(expected, found)
  elif expected.suffix in _CHANGING:
    pattern = _CHANGING[expected.suffix]
    assert pattern.sub('', found.read_text()) == pattern.sub('', expected.read_text()), found
  else:
    assert found.read_bytes() == expected.read_bytes(), found


def check_same_variables(expected: pathlib.Path, found: pathlib.Path) -> None:
  """Raises AssertionError where two checkpoints, given by their indexes, differ."""
  readers = [
    tf.train.load_checkpoint(str(path).removesuffix('.index')) for path in (expected, found)
  ]
  names = [sorted(reader.get_variable_to_shape_map()) for reader in readers]
  assert names[0] == names[1], found
  for name in names[0]:
    one, other = (reader.get_tensor(name) for reader in readers)
    np.testing.assert_array_equal(one, other, err_msg=f'{found}: {name}')


def read_metrics(path: pathlib.Path) -> list[dict[str, str]]:
  """Returns the rows of metrics.csv without the rates, which differ from run to run."""
  with path.open(encoding='utf-8', newline='') as stream:
    rows = list(csv.DictReader(stream))
  return [{name: row[name] for name in row if name != 'images_per_second'} for row in rows]


def _check_same_arrays(expected: pathlib.Path, found: pathlib.Path) -> None:
  one, other = _arrays(expected), _arrays(found)
  assert one.keys() == other.keys(), found
  for name in one:
    np.testing.assert_array_equal(one[name], other[name], err_msg=f'{found}: {name}')


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  arrays: dict[str, np.ndarray] = {}
  with h5py.File(path) as file:
    file.visititems(
      lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
    )
  return arrays
