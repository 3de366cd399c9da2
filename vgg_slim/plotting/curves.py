"""Loss and accuracy over epochs, of one run or of several to compare."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vgg_slim.plotting.text import families, plain

_INCHES = (10, 4.2)


class Curve(NamedTuple):
  """One quantity of a run; a value is None where there was no validation.

  Attributes:
    epochs: in order.
    train: of the training split, with dropout and augmentation.
    validation: of the validation split.
  """

  epochs: Sequence[float]
  train: Sequence[float | None]
  validation: Sequence[float | None]


class History(NamedTuple):
  """A run: mean cross-entropies, and accuracies as fractions."""

  loss: Curve
  accuracy: Curve


def draw_history(runs: Mapping[str, History]) -> Figure:
  """Draws loss and accuracy side by side, a colour for each run; training is dashed.

  Args:
    runs: by name, at least one.

  Returns:
    a figure of its own, on no screen; `figure.savefig(path)` writes it.
  """
  figure = Figure(figsize=_INCHES, layout='constrained')
  loss, accuracy = figure.subplots(1, 2)
  for number, (name, history) in enumerate(runs.items()):
    colour, label = f'C{number}', plain(name)
    _draw(loss, history.loss, colour, label)
    _draw(accuracy, history.accuracy, colour, _with_best(label, history.accuracy))
  loss.set(xlabel='epoch', ylabel='loss')
  accuracy.set(xlabel='epoch', ylabel='accuracy')
  accuracy.yaxis.set_major_formatter(lambda value, _: f'{value:.0%}')
  for axes in (loss, accuracy):
    axes.plot([], [], '--', color='grey', label='dashed: training')
    axes.grid(alpha=0.3)
    axes.legend(prop={'size': 'small', 'family': families(*runs)})
  return figure


def _draw(axes: Axes, curve: Curve, colour: str, name: str) -> None:
  has_validation = any(value is not None for value in curve.validation)
  train_label = None if has_validation else name
  axes.plot(curve.epochs, _numbers(curve.train), '--', color=colour, alpha=0.6, label=train_label)
  if has_validation:
    axes.plot(curve.epochs, _numbers(curve.validation), 'o-', color=colour, ms=3, label=name)


def _numbers(values: Sequence[float | None]) -> list[float]:
  return [math.nan if value is None else value for value in values]


def _with_best(name: str, curve: Curve) -> str:
  found = [
    (value, -epoch)
    for epoch, value in zip(curve.epochs, curve.validation, strict=True)
    if value is not None
  ]
  if not found:
    return name
  best, epoch = max(found)
  return f'{name}: {best:.2%} at epoch {-epoch:.4g}'
