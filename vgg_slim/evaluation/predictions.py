"""Predictions for images, and writers for CSV and JSON. No TensorFlow."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from vgg_slim import csv_text

if TYPE_CHECKING:  # a client of a served network needs no NumPy
  import numpy as np


class ClassScore(NamedTuple):
  """One class of a prediction.

  Attributes:
    class_id: class index, from 0.
    class_name: name of the class, or `class_id` as text if the network has no class names.
    probability: probability of the class, 0..1.
  """

  class_id: int
  class_name: str
  probability: float


class Prediction(NamedTuple):
  """The most probable classes of an image, in descending order; ties go to the lower id.

  Attributes:
    file: path of the image.
    top: most probable classes, at least one.
  """

  file: str
  top: tuple[ClassScore, ...]


class Failure(NamedTuple):
  """An image file that could not be scored, and the reason."""

  file: str
  reason: str


Answer = Prediction | Failure


def top_classes(
  probabilities: 'np.ndarray', class_names: Sequence[str] | None, k: int
) -> tuple[ClassScore, ...]:
  """The `k` most probable classes, or all if there are fewer; `probabilities` is float [K]."""
  best = (-probabilities).argsort(kind='stable')[:k]
  return tuple(
    ClassScore(int(i), class_names[i] if class_names else str(i), float(probabilities[i]))
    for i in best
  )


def csv_columns(num_classes: int) -> list[str]:
  """Headings of the cells of `csv_cells`: class_1, probability_1, class_2, ..."""
  ranks = range(1, 1 + num_classes)
  return [f'{column}_{i}' for i in ranks for column in ('class', 'probability')]


def csv_cells(top: Sequence[ClassScore]) -> list[object]:
  """Cells of the most probable classes; probabilities in full precision, as in JSON."""
  return [cell for score in top for cell in (score.class_name, score.probability)]


class CsvWriter:
  """Writes one row per image: file, then `csv_cells`."""

  def __init__(self, stream: BinaryIO, num_classes: int) -> None:
    """Writes the header; `num_classes` is the number of classes of each prediction."""
    self._stream = stream
    self._write(['file', *csv_columns(num_classes)])

  def add(self, prediction: Prediction) -> None:
    self._write([prediction.file, *csv_cells(prediction.top)])

  def finish(self, failures: Sequence[Failure]) -> None:
    """Does nothing: failures have no row."""

  def _write(self, cells: Sequence[object]) -> None:
    self._stream.write(_encode(csv_text.format_rows([cells])))


class JsonWriter:
  """Writes one object: `predictions`, a list of files and classes; `failed`, reasons by file."""

  def __init__(self, stream: BinaryIO, num_classes: int) -> None:
    del num_classes  # every prediction lists its own classes
    self._stream = stream
    self._separator = '{"predictions": ['

  def add(self, prediction: Prediction) -> None:
    classes = [score._asdict() for score in prediction.top]
    self._write(self._separator, {'file': prediction.file, 'classes': classes})
    self._separator = ','

  def finish(self, failures: Sequence[Failure]) -> None:
    """Writes the failures, and closes the object."""
    start = self._separator if self._separator != ',' else ''
    reasons = {failure.file: failure.reason for failure in failures}
    self._write(f'{start}\n],\n"failed": ', reasons, '}\n')

  def _write(self, before: str, value: object, after: str = '') -> None:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    start = f'{before}\n' if before.endswith(('[', ',')) else before
    self._stream.write(_encode(f'{start}{text}{after}'))


def _encode(text: str) -> bytes:
  """Encodes as UTF-8; bytes of a file name that are not valid UTF-8 become escapes."""
  return text.encode('utf-8', errors='backslashreplace')


# Writer for each file suffix.
WRITERS: dict[str, Callable[[BinaryIO, int], CsvWriter | JsonWriter]] = {
  '.csv': CsvWriter,
  '.json': JsonWriter,
}
