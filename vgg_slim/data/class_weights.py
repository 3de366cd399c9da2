"""Weights of the classes in the loss, from the text of --class_weights. No TensorFlow.

Their mean over the training images is 1, so that they change what the classes count relative to
each other, and neither the size of the gradients nor their relation to the weight decay.
"""

import csv
import math
import os
import pathlib
from collections.abc import Sequence

from vgg_slim import json_objects
from vgg_slim.errors import ConfigError
from vgg_slim.wording import counted, listed

BALANCED = 'balanced'
HELP = (
  'Weights of the classes in the training loss, for data sets in which some classes have many more '
  f'images than others: {BALANCED}, which gives each class the same total weight; numbers in the '
  'order of labels.txt, such as 1,1,5; or a CSV file of class names and weights, or a JSON object '
  'of these (NAME.json). They are scaled to a mean of 1 over the training images. The validation '
  'loss is not weighted. By default all images weigh the same.'
)


def parse(text: str, class_names: Sequence[str], counts: Sequence[int]) -> tuple[float, ...]:
  """Returns the weight of each class; () if `text` is empty.

  Args:
    text: value of --class_weights, see HELP.
    class_names: names of the classes in the order of the labels.
    counts: number of training images of each class.

  Raises:
    ConfigError: the text is none of these, or names and numbers do not fit the classes; the message
      lists every mismatch.
  """
  if not text:
    return ()
  if text == BALANCED:
    return balance(counts)
  numbers = [_number(part) for part in text.split(',')]
  if None not in numbers:
    weights = [number for number in numbers if number is not None]
    if len(weights) != len(class_names):
      raise ConfigError(
        f'--class_weights={text}: {counted(len(weights), "number")} for '
        f'{counted(len(class_names), "class")}, {listed(class_names)}.'
      )
    where = f'--class_weights={text}'
  else:
    path = pathlib.Path(text)
    if not os.path.isfile(path):  # also False for a list of numbers that is too long for a name
      raise ConfigError(
        f"--class_weights={text}: must be '{BALANCED}', numbers separated by commas, or an "
        'existing CSV or JSON file of class names and weights.'
      )
    weights, where = _read(path, class_names), f'--class_weights={path}'
  return _scale(weights, class_names, counts, where)


def balance(counts: Sequence[int]) -> tuple[float, ...]:
  """Returns n / (k * n_c) for each of the k classes with images, as scikit-learn; 1 for others."""
  present = sum(count > 0 for count in counts)
  return tuple(sum(counts) / (present * count) if count else 1.0 for count in counts)


def describe(class_names: Sequence[str], weights: Sequence[float]) -> str:
  """Returns one line with the smallest and the largest weight."""
  ranked = sorted(zip(weights, class_names, strict=True))
  (least, lightest), (most, heaviest) = ranked[0], ranked[-1]
  return f'Class weights in the loss: {least:.3g} ({lightest}) to {most:.3g} ({heaviest}).'


def _read(path: pathlib.Path, class_names: Sequence[str]) -> list[float]:
  """Reads weights by class name, in the order of `class_names`."""
  where = f'--class_weights={path}'
  try:
    if path.suffix.lower() == '.json':
      rows = [(name, _json_number(value)) for name, value in json_objects.read(path).items()]
      problems: list[str] = []
    else:
      rows, problems = _csv_rows(path, class_names)
  except (OSError, ValueError, csv.Error) as error:
    raise ConfigError(f'{where} cannot be read: {error}.') from error
  found: dict[str, float | None] = {}
  for name, weight in rows:
    if name in found:
      problems.append(f'{name!r} occurs more than once')
    elif name not in class_names:
      problems.append(f'{name!r} is not a class of the data set')
    elif weight is None:
      problems.append(f'the weight of {name!r} is not a number')
    found.setdefault(name, weight)
  missing = [name for name in class_names if name not in found]
  if missing:
    problems.append(f'no weight for {", ".join(map(repr, missing))}')
  if problems:
    raise ConfigError(f'{where}: {"; ".join(problems)}.')
  return [found[name] or 0.0 for name in class_names]


def _csv_rows(
  path: pathlib.Path, class_names: Sequence[str]
) -> tuple[list[tuple[str, float | None]], list[str]]:
  """Returns names and weights, and problems; a first row without a class is taken for a header."""
  rows: list[tuple[str, float | None]] = []
  problems: list[str] = []
  with path.open(encoding='utf-8-sig', newline='') as stream:
    reader = csv.reader(stream, strict=True)
    for number, cells in enumerate(reader, start=1):
      if not cells:
        continue
      if len(cells) != 2:
        problems.append(f'line {reader.line_num} has {counted(len(cells), "cell")}, not 2')
        continue
      name, weight = cells[0], _number(cells[1])
      if number > 1 or name in class_names or weight is not None:
        rows.append((name, weight))
  return rows, problems


def _scale(
  weights: Sequence[float], class_names: Sequence[str], counts: Sequence[int], where: str
) -> tuple[float, ...]:
  """Scales weights to a mean of 1 over the training images."""
  negative = [name for name, weight in zip(class_names, weights, strict=True) if weight < 0]
  if negative:
    raise ConfigError(f'{where}: weights must be at least 0; negative for {", ".join(negative)}.')
  total = math.fsum(weight * count for weight, count in zip(weights, counts, strict=True))
  if not 0 < total < math.inf:
    raise ConfigError(f'{where}: the weights of all training images add up to {total:g}.')
  return tuple(weight * sum(counts) / total for weight in weights)


def _number(text: str) -> float | None:
  """Returns a finite number; None for all other text."""
  try:
    value = float(text)
  except ValueError:
    return None
  return value if math.isfinite(value) else None


def _json_number(value: object) -> float | None:
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  return float(value) if is_number else None  # type: ignore[arg-type]
