"""What a network says of pictures, as rows for people and programs. No TensorFlow."""

import csv
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import ConfigError

FORMATS = ('csv', 'json')


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


def top_classes(
  probabilities: np.ndarray, class_names: Sequence[str] | None, k: int
) -> tuple[ClassScore, ...]:
  """The `k` largest of float [K], or all of them if there are fewer."""
  best = np.argsort(-probabilities, kind='stable')[:k]
  return tuple(
    ClassScore(int(i), class_names[i] if class_names else str(i), float(probabilities[i]))
    for i in best
  )


def find_format(path: str) -> str:
  """The format that a file name asks for.

  Raises:
    ConfigError: neither of FORMATS.
  """
  suffix = path.rpartition('.')[2].lower()
  if suffix not in FORMATS:
    raise ConfigError(f'--output={path} must end in .csv or .json.')
  return suffix


def to_csv(predictions: Sequence[Prediction]) -> str:
  """One row a picture: file, class_1, probability_1, class_2, ...; numbers in full."""
  places = range(1, 1 + max((len(p.top) for p in predictions), default=0))
  stream = io.StringIO()
  writer = csv.writer(stream, lineterminator='\n')
  writer.writerow(['file', *(f'{what}_{i}' for i in places for what in ('class', 'probability'))])
  for file, top in predictions:
    writer.writerow([file, *(value for score in top for value in score[1:])])
  return stream.getvalue()


def to_json(predictions: Sequence[Prediction], unreadable: dict[str, str]) -> str:
  """All pictures with their classes, and why others could not be read, by file."""
  values = {
    'predictions': [
      {'file': p.file, 'classes': [score._asdict() for score in p.top]} for p in predictions
    ],
    'unreadable': unreadable,
  }
  return json.dumps(values, indent=2, ensure_ascii=False) + '\n'
