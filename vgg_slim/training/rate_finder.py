"""Finds a learning rate for a run: a range test, then short trials of single rates.

A range test alone says little about a network that starts on a plateau, such as VGG without batch
norm: its loss has not moved yet when the rate is already too high. Trials at constant rates show
which rate leaves the plateau, and which one ends in dead units.
"""

import dataclasses
import functools
import math
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim import memory, sessions
from vgg_slim.compat import tf
from vgg_slim.configs.config import DistributionConfig, TrainConfig
from vgg_slim.configs.rate_finder import RateFinderConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import TrainingError
from vgg_slim.reporting import Reporter, format_duration
from vgg_slim.training import diagnosis, memory_plan, preflight, rate_search, run_precision, starts
from vgg_slim.training.hooks import interrupts
from vgg_slim.training.rate_search import Baseline, RangeTest, Trial
from vgg_slim.training.rate_trials import Trials

BASELINE_STEPS = 10
_EXPECTED_TRIALS = 5  # for the remaining time; most searches need 5 or 6


class Found(NamedTuple):
  """What a search has found.

  Attributes:
    rates: rates of the range test.
    losses: its losses; fewer than `rates` if training diverged or the time was over.
    baseline: losses with which those of trials are compared.
    range_test: what the range test shows; None if it is not complete.
    trials: complete trials in ascending order of their rates.
    is_complete: whether neither the time limit nor a signal ended the search.
    checkpoint: checkpoint of the run from which all steps started; None for a new run.
    stopped_by: signal that ended the search, 'SIGINT' or 'SIGTERM'; None if none did.
  """

  rates: tuple[float, ...]
  losses: tuple[float, ...]
  baseline: Baseline
  range_test: RangeTest | None
  trials: tuple[Trial, ...]
  is_complete: bool
  checkpoint: str | None = None
  stopped_by: str | None = None


def run_search(
  config: TrainConfig,
  manifest: Manifest,
  train_dir: str,
  options: RateFinderConfig,
  reporter: Reporter,
  overwrite: bool = False,
  clock: Callable[[], float] = time.monotonic,
) -> Found:
  """Searches a learning rate for the next steps of a run, and writes nothing.

  Every part of the search starts from the run's own start: its newest checkpoint, the weights that
  it is to start from, or its initial values. Trials keep the run's warm-up, see `warmup_factors`. A
  run on several devices is searched on one. After SIGINT or SIGTERM the search ends with the trials
  that are complete.

  Args:
    config: config of the run; its learning rate is the first to be tried, without its decay.
    manifest: manifest of the data set in `config.data_dir`.
    train_dir: folder of the run, which need not exist and is only read.
    options: range, length and time limit of the search.
    reporter: receiver of the progress lines.
    overwrite: whether the run starts at step 0, whatever the folder holds.
    clock: function that returns a time in seconds.

  Raises:
    CheckpointError: see `training.loop.run_training`.
    ConfigError: see `training.loop.run_training`.
    DataError: a record is damaged.
    TrainingError: there is too little memory, the loss is not finite before the first update, or
      the time is over by then.
    KeyboardInterrupt: a signal arrived before the range test began.
  """
  config = run_precision.settle(config, reporter.line)
  config = dataclasses.replace(config, distribution=DistributionConfig())
  start = starts.decide(train_dir, overwrite)
  for line in start.lines():
    reporter.line(line)
  free = memory.available_bytes()
  if free is not None and not sessions.num_gpus():
    plan = memory_plan.choose(config)
    preflight.check_memory(config, free, plan.micro_batches, plan.stage_parts)
  check_data = functools.partial(
    records.check_records,
    manifests.shard_paths(config.data_dir, manifest, 'train'),
    manifest.num_classes,
  )
  reporter.phase('building', f'Building the graph of {config.net.model}')
  with tf.Graph().as_default(), diagnosis.explain_data_errors(check_data):
    trials = Trials(config, manifest, start, reporter)
    reporter.line(describe_length(options))
    epoch = manifest.split('train').num_examples / config.run.batch_size
    counts = manifest.split('train').examples_per_class
    with interrupts.stop_on_signals() as stop:
      meter = _Meter(options, reporter, clock, stop)
      found = _Search(trials, config, counts, epoch, options, meter, reporter).run()
    return found._replace(checkpoint=start.checkpoint, stopped_by=stop.signal_name)


def describe_length(options: RateFinderConfig) -> str:
  """A sentence about the length of a search, and what its remaining time covers."""
  steps = options.find_steps
  return (
    f'At most {BASELINE_STEPS + steps} steps of a range test, the first {BASELINE_STEPS} without a '
    f'rate, and then {rate_search.MAX_TRIALS} trials of {steps} steps each; no more than '
    f'{options.find_minutes:g} minutes (--find_minutes). The ETA is that of all, with '
    f'{_EXPECTED_TRIALS} trials.'
  )


def warmup_factors(config: TrainConfig, steps_per_epoch: float, steps: int) -> list[float]:
  """Returns the factor of the rate at each step of a trial.

  The warm-up is that of the run, but at most a quarter of the trial, whose end has to be at the
  full rate.
  """
  warmup = min(round(config.optimizer.warmup_epochs * steps_per_epoch), steps // 4)
  return [min(1.0, (step + 1) / warmup) if warmup else 1.0 for step in range(steps)]


class _Search:
  """The range test, and the trials that follow from it and from each other."""

  def __init__(
    self,
    trials: Trials,
    config: TrainConfig,
    examples_per_class: Sequence[int],
    steps_per_epoch: float,
    options: RateFinderConfig,
    meter: '_Meter',
    reporter: Reporter,
  ) -> None:
    self._trials, self._options = trials, options
    self._own = config.optimizer.learning_rate
    self._guessing = rate_search.guessing_loss(
      [count > 0 for count in examples_per_class]
      if config.run.balanced_batches
      else examples_per_class,
      config.optimizer.class_weights,
      config.optimizer.label_smoothing,
    )
    self._chance = math.log(config.net.num_classes)
    self._warmup = warmup_factors(config, steps_per_epoch, options.find_steps)
    self._meter, self._reporter = meter, reporter

  def run(self) -> Found:
    lowest, highest = self._options.find_rates
    rates = [float(rate) for rate in np.geomspace(lowest, highest, self._options.find_steps)]
    baseline, losses = self._test_range(rates)
    reading, is_complete = None, False
    trials: dict[float, Trial] = {}
    if len(losses) == len(rates) or baseline.has_diverged(losses):
      reading = rate_search.read_range_test(rates, losses, baseline)
      if reading.diverged is not None:
        highest = float(f'{reading.diverged:.1e}')
      trials, is_complete = self._try_rates(baseline, lowest, highest)
    ordered = tuple(trials[rate] for rate in sorted(trials))
    return Found(tuple(rates), tuple(losses), baseline, reading, ordered, is_complete)

  def _test_range(self, rates: list[float]) -> tuple[Baseline, list[float]]:
    """Makes one step at each rate, after some at rate 0 that show what the loss is at the start."""
    still = [0.0] * BASELINE_STEPS

    def has_diverged(losses: list[float]) -> bool:
      if len(losses) <= len(still):
        return False
      return self._baseline(losses).has_diverged(losses[len(still) :])

    losses = self._trials.run(still + rates, self._watch('range test', still + rates, has_diverged))
    if not np.isfinite(losses[: len(still)]).all():
      raise TrainingError(
        'The loss is not finite before the first update, so no learning rate can help: look at the '
        'weights, --initializer and --pixel_scale, or run tools/doctor with the same flags.'
      )
    if len(losses) <= len(still):
      if self._meter.stopped_by:
        raise KeyboardInterrupt(signal.Signals[self._meter.stopped_by])
      raise TrainingError(
        'The time was over before the range test began: give more --find_minutes than '
        f'{self._options.find_minutes:g}.'
      )
    return self._baseline(losses), losses[len(still) :]

  def _baseline(self, losses: list[float]) -> Baseline:
    return rate_search.measure_baseline(losses[:BASELINE_STEPS], self._guessing, self._chance)

  def _try_rates(
    self, baseline: Baseline, lowest: float, highest: float
  ) -> tuple[dict[float, Trial], bool]:
    """Runs trials; returns the complete ones, and whether the time was enough for all."""
    losses: dict[float, list[float]] = {}
    trials: dict[float, Trial] = {}
    while (rate := rate_search.next_rate(trials, self._own, lowest, highest)) is not None:
      name, rates = f'trial {len(trials) + 1}', [rate * factor for factor in self._warmup]
      made = self._trials.run(rates, self._watch(name, rates, baseline.has_diverged))
      if len(made) < len(rates) and not baseline.has_diverged(made):
        return trials, False
      losses[rate] = made
      trials = rate_search.judge(losses, baseline)
      end, outcome = trials[rate].end, trials[rate].outcome
      self._reporter.progress(f'{name}: rate {rate:g}, loss {end:.4f} in the end, {outcome}')
      self._reporter.event('trial', learning_rate=rate, loss=end, outcome=outcome)
    return trials, True

  def _watch(
    self, name: str, rates: Sequence[float], has_diverged: Callable[[list[float]], bool]
  ) -> Callable[[list[float]], bool]:
    """Returns the function that follows the steps of a part of the search and may end it."""
    parts = max(0, 1 + _EXPECTED_TRIALS - self._meter.begin_part())
    remaining = parts * self._options.find_steps

    def should_stop(losses: list[float]) -> bool:
      count = len(losses)
      loss, rate = losses[-1], rates[count - 1]
      shown = f'rate {rate:.2g}' if rate else 'rate -'
      fields = (f'{name}: step {count}/{len(rates)}', f'loss {loss:.4f}', shown)
      seconds = self._meter.step(fields, len(rates) - count + remaining)
      self._reporter.event(
        'progress',
        phase=name,
        step=count,
        total=len(rates),
        unit='steps',
        learning_rate=rate,
        loss=loss,
        eta_seconds=seconds,
      )
      return has_diverged(losses) or self._meter.is_over

    return should_stop


class _Meter:
  """Counts steps and time, and shows them in the status line."""

  def __init__(
    self,
    options: RateFinderConfig,
    reporter: Reporter,
    clock: Callable[[], float],
    stop: interrupts.StopRequest,
  ) -> None:
    self._reporter, self._clock, self._stop = reporter, clock, stop
    self._began = clock()
    self._limit = 60 * options.find_minutes
    self._steps = self._parts = 0

  def begin_part(self) -> int:
    """Counts a part of the search; returns the number of parts so far."""
    self._parts += 1
    return self._parts

  def step(self, fields: Sequence[str], remaining: int) -> float:
    """Counts a step; returns the estimated remaining seconds.

    Args:
      fields: what the status line says, the most important first.
      remaining: number of steps that are expected to follow.
    """
    self._steps += 1
    seconds = self._clock() - self._began
    left = min(seconds / self._steps * remaining, max(0.0, self._limit - seconds))
    shown = [*fields, f'ETA {format_duration(left)}']
    while len('  '.join(shown)) > self._reporter.width and len(shown) > 1:
      shown.pop(-2)
    self._reporter.status('  '.join(shown))
    return left

  @property
  def stopped_by(self) -> str | None:
    """Name of the signal that has asked to stop."""
    return self._stop.signal_name

  @property
  def is_over(self) -> bool:
    """Whether the time limit has passed, or a signal has asked to stop."""
    return bool(self.stopped_by) or self._clock() - self._began > self._limit
