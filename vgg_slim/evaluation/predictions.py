"""What a network says of pictures, as rows for people and programs. No TensorFlow."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np


class ClassScore(NamedTuple):
  """One class of a prediction.

  Attributes:
    class_id: its label, from 0.
    class_name: its name, or the id as text where nobody gave names.
    probability: 0..1.
  """

  class_id: int
  class_name: str
  probability: float


class Prediction(NamedTuple):
  """The most probable classes of a picture, best first; ties go to the lower id.

  Attributes:
    file: path of the picture.
    top: at least one class.
  """

  file: str
  top: tuple[ClassScore, ...]


class Failure(NamedTuple):
  """An image file without an answer, and why."""

  file: str
  reason: str


Answer = Prediction | Failure


def top_classes(
  probabilities: np.ndarray, class_names: Sequence[str] | None, k: int
) -> tuple[ClassScore, ...]:
  """The `k` largest of float [K], or all of them if there are fewer."""
  best = np.argsort(-probabilities, kind='stable')[:k]
  return tuple(
    ClassScore(int(i), class_names[i] if class_names else str(i), float(probabilities[i]))
    for i in best
  )


class CsvWriter:
  """One row for each image: file, class_1, probability_1, class_2, ...; numbers in full."""

  def __init__(self, stream: BinaryIO, num_classes: int) -> None:
    """Writes the heading; `num_classes` are in each answer."""
    self._stream = stream
    places = range(1, 1 + num_classes)
    self._write(['file', *(f'{what}_{i}' for i in places for what in ('class', 'probability'))])

  def add(self, prediction: Prediction) -> None:
    self._write([prediction.file, *(value for score in prediction.top for value in score[1:])])

  def finish(self, failures: Sequence[Failure]) -> None:
    """Failures have no row."""

  def _write(self, cells: Sequence[object]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator='\n').writerow(cells)
    self._stream.write(_encode(line.getvalue()))


class JsonWriter:
  """One object: `predictions`, a list of files with their classes, and `failed`, why by file."""

  def __init__(self, stream: BinaryIO, num_classes: int) -> None:
    del num_classes  # each answer says its own
    self._stream = stream
    self._separator = '{"predictions": ['

  def add(self, prediction: Prediction) -> None:
    classes = [score._asdict() for score in prediction.top]
    self._write(self._separator, {'file': prediction.file, 'classes': classes})
    self._separator = ','

  def finish(self, failures: Sequence[Failure]) -> None:
    """Writes the end of the object."""
    start = self._separator if self._separator != ',' else ''
    self._write(f'{start}\n],\n"failed": ', {one.file: one.reason for one in failures}, '}\n')

  def _write(self, before: str, value: object, after: str = '') -> None:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    start = f'{before}\n' if before.endswith(('[', ',')) else before
    self._stream.write(_encode(f'{start}{text}{after}'))


def _encode(text: str) -> bytes:
  """UTF-8; bytes of a file name that are not UTF-8 become escapes."""
  return text.encode('utf-8', errors='backslashreplace')


# By the suffix of the file.
WRITERS: dict[str, Callable[[BinaryIO, int], CsvWriter | JsonWriter]] = {
  '.csv': CsvWriter,
  '.json': JsonWriter,
}
