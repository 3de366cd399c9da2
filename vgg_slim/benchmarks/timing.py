"""Timing of batches, and statistics of the times. No TensorFlow."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

_PREFETCHED = 16  # more batches than any system prefetches


class Statistics(NamedTuple):
  """Statistics of the seconds per batch.

  Attributes:
    median: median of the batches.
    lower, upper: first and third quartile.
    mean: mean of the batches.
    deviation: population standard deviation of the batches (divided by N).
    batches: number of batches.
  """

  median: float
  lower: float
  upper: float
  mean: float
  deviation: float
  batches: int


class Ratio(NamedTuple):
  """A ratio of speeds.

  Attributes:
    value: median ratio.
    lower, upper: first and third quartile, or for `ratio_of_runs` bounds made of the quartiles.
  """

  value: float
  lower: float
  upper: float

  def __str__(self) -> str:
    return f'{self.value:.2f}x ({self.lower:.2f} - {self.upper:.2f})'


def time_batches(
  run_batch: Callable[[], None], num_batches: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
  """Runs `run_batch` `num_batches` times; returns the seconds of each."""
  seconds = []
  for _ in range(num_batches):
    started = clock()
    run_batch()
    seconds.append(clock() - started)
  return seconds


def time_stream(
  take_batch: Callable[[], None],
  num_batches: int,
  clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
  """Times batches that are made in the background; returns their mean, `num_batches` times.

  Prefetched batches are consumed first and do not count. Times of single batches are misleading:
  two background processes may each have a batch ready at once, and then none for twice as long.
  """
  for _ in range(_PREFETCHED):
    take_batch()
  total = sum(time_batches(take_batch, num_batches, clock))
  return [total / max(1, num_batches)] * num_batches


def describe(seconds: Sequence[float]) -> Statistics:
  """Returns the statistics of one or more batches."""
  lower, median, upper = np.percentile(seconds, [25, 50, 75]).tolist()
  return Statistics(
    median, lower, upper, float(np.mean(seconds)), float(np.std(seconds)), len(seconds)
  )


def ratio_of_turns(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> Ratio:
  """Returns the speed of `ours` over that of `theirs`, measured in turns.

  A slowdown of the machine affects both systems in the same turn. Medians are therefore divided
  turn by turn; the ratio is the median of the quotients, with their quartiles.

  Args:
    ours: seconds of each batch, one list per turn.
    theirs: seconds of each batch, with as many turns as `ours`.
  """
  quotients = [np.median(b) / np.median(a) for a, b in zip(ours, theirs, strict=True)]
  lower, value, upper = np.percentile(quotients, [25, 50, 75]).tolist()
  return Ratio(value, lower, upper)


def ratio_of_runs(new: Statistics, old: Statistics) -> Ratio:
  """Returns the speed of `new` over that of `old`, which were measured at different times.

  The bounds divide the fast quartile of one run by the slow quartile of the other.
  """
  return Ratio(old.median / new.median, old.lower / new.upper, old.upper / new.lower)
