"""Judges learning rates by the losses of short trials, and decides which rate to try next.

All trials of a run start from the same weights and see the same batches, so that they differ in
nothing but the rate. No TensorFlow.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

_MEMORY = 0.9  # of the moving average: about the last 10 steps
_SETTLED = 10  # steps after which the average is one of many
_REMEMBERED = 100  # steps after which a loss has a weight of 3e-5 in the average
_LEAST_NOISE = 1e-3  # fraction of the loss; batches that hold all images have no noise at all
_DIVERGED = 2.0  # multiple of the loss at the start, or of guessing, at which training has diverged
_NOISE = 3.0  # standard deviations that are no coincidence
_END = 0.25  # fraction of a trial, at its end, whose mean loss counts
_DECADE, _HALF_DECADE = 10.0, math.sqrt(10)
_WIDE = 5.0  # ratio of neighbors between which another rate is tried
_CLOSE = 1.5  # ratio up to which a rate counts as tried
MAX_TRIALS = 9

LEARNS, NOTHING, TOO_HIGH, DIVERGED = 'learns', 'learns nothing', 'too high', 'diverges'
TOO_HIGH_OR_WORSE = (TOO_HIGH, DIVERGED)
_ORDER = (LEARNS, NOTHING, TOO_HIGH, DIVERGED)


def smooth(losses: Sequence[float]) -> list[float]:
  """Exponential moving average with bias correction; NaN from the first loss on that is not finite.

  The correction makes the average start at the first loss instead of 0.
  """
  average, averages = 0.0, []
  for count, loss in enumerate(losses, start=1):
    average = _MEMORY * average + (1 - _MEMORY) * loss
    averages.append(average / (1 - _MEMORY**count) if math.isfinite(average) else math.nan)
  return averages


class Baseline(NamedTuple):
  """What the losses of trials are compared with.

  Attributes:
    start: mean loss before anything is learned.
    guessing: lowest loss of one answer for all images, see `guessing_loss`.
    noise: standard deviation of the loss of a batch at the start.
    chance: loss of equal probabilities, ln(K) for K classes.
  """

  start: float
  guessing: float
  noise: float
  chance: float

  @property
  def unlearned(self) -> float:
    """Loss below which something has been learned: the lower one of start and guessing."""
    return min(self.start, self.guessing)

  @property
  def limit(self) -> float:
    """Loss above which training goes wrong: the highest one of start, guessing and chance."""
    return max(self.start, self.guessing, self.chance)

  def is_undercut(self, mean: float, losses: Sequence[float], count: int) -> bool:
    """Whether a mean loss is below `unlearned` by more than the noise of the batches.

    The noise is that of the losses, and at least that of the start in relation to the loss: where
    the loss starts high, its noise there may exceed the loss of guessing, and no mean would be low
    enough. For the same reason half of `unlearned` is low enough whatever the noise.

    Args:
      mean: mean of some losses.
      losses: losses that show the noise.
      count: number of losses of which the mean has the noise.
    """
    at_start = self.noise * self.unlearned / self.start if self.start else 0.0
    noise = max(float(np.std(losses)), at_start)
    return mean < self.unlearned - min(_NOISE * noise / math.sqrt(count), self.unlearned / 2)

  def has_diverged(self, losses: Sequence[float]) -> bool:
    """Whether the smoothed loss is no longer finite, or twice as high as it should ever be."""
    return not smooth(losses[-_REMEMBERED:])[-1] <= _DIVERGED * self.limit


def measure_baseline(losses: Sequence[float], guessing: float, chance: float) -> Baseline:
  """Takes the baseline from the losses of some batches before anything is learned."""
  start = float(np.mean(losses))
  noise = max(float(np.std(losses)), _LEAST_NOISE * start)
  return Baseline(start, guessing, noise, chance)


def guessing_loss(
  counts: Sequence[int], class_weights: Sequence[float] = (), label_smoothing: float = 0.0
) -> float:
  """Returns the lowest mean loss of one answer for all images: the entropy of the mean target.

  It is ln(K) for K classes of the same size, and lower for others: a network reaches it by the
  frequencies of the classes alone.

  Args:
    counts: how often the images of each class come, relative to each other.
    class_weights: see `losses.build_losses`.
    label_smoothing: likewise.
  """
  weighted = np.array(counts, float) / sum(counts) * (class_weights or 1.0)
  total = weighted.sum()
  target = (1 - label_smoothing) * weighted / total + label_smoothing / len(counts)
  present = target[target > 0]
  return float(-total * (present * np.log(present)).sum())


class RangeTest(NamedTuple):
  """What a range test shows (Smith, arXiv:1506.01186): one step at each of growing rates.

  Attributes:
    steepest: rate at which the smoothed loss falls fastest; None where it never falls by more than
      its noise.
    lowest: rate of the lowest smoothed loss; None likewise.
    diverged: rate at which training diverged; None if it did not.
  """

  steepest: float | None
  lowest: float | None
  diverged: float | None


def read_range_test(
  rates: Sequence[float], losses: Sequence[float], baseline: Baseline
) -> RangeTest:
  """Reads a range test.

  Args:
    rates: rates in ascending order, equally spaced on a logarithmic scale.
    losses: losses of the steps that were made; the others were left out after divergence.
    baseline: baseline of the run.
  """
  smoothed = smooth(losses)
  diverged = rates[len(losses) - 1] if baseline.has_diverged(losses) else None
  finite = [value for value in smoothed if math.isfinite(value)]
  if len(finite) < 2:
    return RangeTest(None, None, diverged)
  lowest = int(np.argmin(finite))
  # The average has a quarter of the noise of one step, and so has the start.
  latest = losses[max(0, lowest + 1 - _SETTLED) : lowest + 1]
  if lowest == 0 or not baseline.is_undercut(finite[lowest], latest, 4):
    return RangeTest(None, None, diverged)
  # The first averages are of few steps.
  first = min(_SETTLED, lowest)
  steepest = first + int(np.argmin(np.gradient(finite)[first : lowest + 1]))
  return RangeTest(rates[steepest], rates[lowest], diverged)


class Trial(NamedTuple):
  """Some steps at a constant rate, and what came of them.

  Attributes:
    rate: learning rate.
    losses: loss of each step.
    outcome: DIVERGED; LEARNS, if the loss is below that of guessing in the end; TOO_HIGH, if it has
      risen instead, or a lower rate learns; NOTHING otherwise.
    end: mean loss of the last quarter; infinite if the trial has diverged.
    highest: highest smoothed loss.
  """

  rate: float
  losses: tuple[float, ...]
  outcome: str
  end: float
  highest: float

  @property
  def order(self) -> tuple[int, float]:
    """Key that sorts trials from the best to the worst; of rates that are too high, the lowest."""
    is_too_high = self.outcome in TOO_HIGH_OR_WORSE
    return _ORDER.index(self.outcome), self.rate if is_too_high else self.end


def judge(
  losses_by_rate: Mapping[float, Sequence[float]], baseline: Baseline
) -> dict[float, Trial]:
  """Judges trials by their losses, which end early only where training diverges."""
  trials = {rate: _judge(rate, losses, baseline) for rate, losses in losses_by_rate.items()}
  learning = [rate for rate, trial in trials.items() if trial.outcome == LEARNS]
  for rate, trial in trials.items():
    # Such as a network whose units die while its loss hardly rises.
    if trial.outcome == NOTHING and learning and rate > min(learning):
      trials[rate] = trial._replace(outcome=TOO_HIGH)
  return trials


def _judge(rate: float, losses: Sequence[float], baseline: Baseline) -> Trial:
  highest = max((value for value in smooth(losses) if math.isfinite(value)), default=math.inf)
  if baseline.has_diverged(losses):
    return Trial(rate, tuple(losses), DIVERGED, math.inf, highest)
  counted = losses[-max(1, round(_END * len(losses))) :]
  end = float(np.mean(counted))
  if baseline.is_undercut(end, counted, len(counted)):
    outcome = LEARNS
  elif highest > baseline.limit + _NOISE * baseline.noise:
    outcome = TOO_HIGH
  else:
    outcome = NOTHING
  return Trial(rate, tuple(losses), outcome, end, highest)


def best(trials: Mapping[float, Trial]) -> Trial:
  """Returns the trial with the lowest loss in the end, among those with the best outcome."""
  return min(trials.values(), key=lambda trial: trial.order)


def next_rate(
  trials: Mapping[float, Trial], own: float, lowest: float, highest: float
) -> float | None:
  """Returns the rate to try next, or None if the best one is between two worse ones.

  The first is the run's own. Neighbors a factor of ten apart are tried until the best has a worse
  one on each side, then those half a decade away.

  Args:
    trials: trials so far, by rate.
    own: learning rate of the run.
    lowest: lower limit of all rates but the run's own.
    highest: upper limit likewise, where the range test has diverged.
  """
  if not trials:
    return own
  if len(trials) == MAX_TRIALS:
    return None
  center = best(trials).rate
  below = max((rate for rate in trials if rate < center), default=None)
  above = min((rate for rate in trials if rate > center), default=None)
  wanted = []
  if below is None:
    wanted.append(center / _DECADE)
  if above is None:
    wanted.append(center * _DECADE)
  if below is None or center / below > _WIDE:
    wanted.append(center / _HALF_DECADE)
  if above is None or above / center > _WIDE:
    wanted.append(center * _HALF_DECADE)
  rounded = (min(max(float(f'{rate:.0e}'), lowest), highest) for rate in wanted)
  return next((rate for rate in rounded if _is_new(rate, trials)), None)


def _is_new(rate: float, tried: Iterable[float]) -> bool:
  return all(max(rate, other) > _CLOSE * min(rate, other) for other in tried)


class Suggestion(NamedTuple):
  """What a search concludes.

  Attributes:
    rate: learning rate to take.
    best: trial with the lowest loss in the end.
    breaks: lowest rate above it that is too high or diverges; None if none is.
    is_certain: whether the best trial has learned anything.
    has_margin: whether `rate` is half of the best one, since a neighbor above that breaks.
  """

  rate: float
  best: Trial
  breaks: Trial | None
  is_certain: bool
  has_margin: bool


def suggest(trials: Mapping[float, Trial]) -> Suggestion:
  """Concludes from at least one trial."""
  chosen = best(trials)
  broken = [t for t in trials.values() if t.outcome in TOO_HIGH_OR_WORSE]
  above = [trial for trial in broken if trial.rate > chosen.rate]
  breaks = min(above, key=lambda trial: trial.rate, default=None)
  has_margin = breaks is not None and breaks.rate <= _WIDE * chosen.rate
  rate = float(f'{chosen.rate / 2:.0e}') if has_margin else chosen.rate
  return Suggestion(rate, chosen, breaks, chosen.outcome == LEARNS, has_margin)


def is_in_range(trial: Trial, suggestion: Suggestion, baseline: Baseline) -> bool:
  """Whether a rate learns, and if it is a higher one, at least half as much as the best."""
  if trial.outcome != LEARNS:
    return False
  half = (baseline.unlearned + suggestion.best.end) / 2
  return trial.rate <= suggestion.best.rate or trial.end <= half
