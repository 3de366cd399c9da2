"""Seconds of batches, and what can be said of them. No TensorFlow."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

_AHEAD = 16  # more batches than any system makes ahead


class Statistics(NamedTuple):
  """Of the seconds of batches.

  Attributes:
    median: of the batches.
    lower, upper: quartiles; their distance is the spread.
    mean, deviation: of all batches, deviation over N as NumPy has it.
    batches: how many.
  """

  median: float
  lower: float
  upper: float
  mean: float
  deviation: float
  batches: int


class Ratio(NamedTuple):
  """How many times as fast; `lower` and `upper` are its spread."""

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
  """Takes `num_batches` batches that are made in the background; returns the mean, so many times.

  Those that were made ahead are taken first and not counted. Single ones say little: of two
  processes both may have one ready, and then none for twice as long.
  """
  for _ in range(_AHEAD):
    take_batch()
  total = sum(time_batches(take_batch, num_batches, clock))
  return [total / max(1, num_batches)] * num_batches


def describe(seconds: Sequence[float]) -> Statistics:
  """Statistics of one or more batches."""
  lower, median, upper = np.percentile(seconds, [25, 50, 75]).tolist()
  return Statistics(
    median, lower, upper, float(np.mean(seconds)), float(np.std(seconds)), len(seconds)
  )


def ratio_of_turns(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> Ratio:
  """Speed of `ours` over that of `theirs`, measured in turns: both lists hold one list a turn.

  What slows the machine down for a while slows both of a turn, so that the medians are divided turn
  by turn, and the median and quartiles of the quotients taken.
  """
  quotients = [np.median(b) / np.median(a) for a, b in zip(ours, theirs, strict=True)]
  lower, value, upper = np.percentile(quotients, [25, 50, 75]).tolist()
  return Ratio(value, lower, upper)


def ratio_of_runs(new: Statistics, old: Statistics) -> Ratio:
  """Speed of `new` over that of `old`, measured at different times: quartile against quartile."""
  return Ratio(old.median / new.median, old.lower / new.upper, old.upper / new.lower)
