"""Figure of loss and accuracy over epochs, for one or more runs."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vgg_slim.plotting.text import families, plain

_INCHES = (10, 4.2)


class Curve(NamedTuple):
  """One metric of a run over its epochs.

  Attributes:
    epochs: epochs, in ascending order.
    train: values on the training split, with dropout and augmentation.
    validation: values on the validation split; None for epochs without validation.
  """

  epochs: Sequence[float]
  train: Sequence[float | None]
  validation: Sequence[float | None]


class History(NamedTuple):
  """Loss (mean cross-entropy) and accuracy (fraction) of a run."""

  loss: Curve
  accuracy: Curve


def draw_history(runs: Mapping[str, History]) -> Figure:
  """Draws loss and accuracy side by side, one color per run; training curves are dashed.

  Args:
    runs: histories by name of the run, at least one.

  Returns:
    A new figure that is not shown; `figure.savefig(path)` writes it.
  """
  figure = Figure(figsize=_INCHES, layout='constrained')
  loss, accuracy = figure.subplots(1, 2)
  for number, (name, history) in enumerate(runs.items()):
    color, label = f'C{number}', plain(name)
    _draw(loss, history.loss, color, label)
    _draw(accuracy, history.accuracy, color, _with_best(label, history.accuracy))
  loss.set(xlabel='epoch', ylabel='loss')
  accuracy.set(xlabel='epoch', ylabel='accuracy')
  accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
  for axes in (loss, accuracy):
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.plot([], [], '.--', color='gray', label='dashed: training')
    axes.grid(alpha=0.3)
    axes.legend(prop={'size': 'small', 'family': families(*runs)})
  return figure


def _draw(axes: Axes, curve: Curve, color: str, name: str) -> None:
  has_validation = any(value is not None for value in curve.validation)
  train_label = None if has_validation else name
  train = _numbers(curve.train)
  axes.plot(curve.epochs, train, '.--', color=color, alpha=0.6, label=train_label)
  if has_validation:
    axes.plot(curve.epochs, _numbers(curve.validation), 'o-', color=color, ms=3, label=name)


def _numbers(values: Sequence[float | None]) -> list[float]:
  return [math.nan if value is None else value for value in values]


def _with_best(name: str, curve: Curve) -> str:
  candidates = [
    (value, -epoch)
    for epoch, value in zip(curve.epochs, curve.validation, strict=True)
    if value is not None
  ]
  if not candidates:
    return name
  best, epoch = max(candidates)
  return f'{name}\n{best:.2%} at epoch {-epoch:.2f}'
