import dataclasses
import io
import math

import numpy as np
import pytest

from tests.testing import make_data_set, thin_model, train_config
from vgg_slim.configs.config import OptimizerConfig
from vgg_slim.configs.rate_finder import RateFinderConfig
from vgg_slim.data import class_weights
from vgg_slim.errors import TrainingError
from vgg_slim.reporting import Reporter
from vgg_slim.training import rate_finder
from vgg_slim.training.hooks.interrupts import StopRequest
from vgg_slim.training.rate_search import LEARNS


class Trials:
  """Stands in for the trials of a network: a quadratic that gradient descent minimizes."""

  def __init__(self, curvature=4.0, first=2.0):
    self.parts = []
    self._curvature, self._first = curvature, first

  def run(self, rates, should_stop):
    weight, losses = 1.0, []
    self.parts.append(list(rates))
    for rate in rates:
      losses.append(self._curvature / 2 * weight**2 + self._first - 2)
      weight -= rate * self._curvature * weight
      if not math.isfinite(losses[-1]) or should_stop(losses):
        break
    return losses


@pytest.fixture
def config(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  made = train_config(*make_data_set(tmp_path / 'data', per_class=8, num_classes=4))
  return dataclasses.replace(made, optimizer=OptimizerConfig(1e-3))


class Clock:
  """A clock that advances by one second whenever it is read."""

  def __init__(self):
    self.now = 0

  def __call__(self):
    self.now += 1
    return self.now


def search(config, trials, steps=40, minutes=1e9, stream=None, counts=(6, 6, 6, 6), stop=None):
  reporter = Reporter(stream or io.StringIO())
  options = RateFinderConfig(find_steps=steps, find_minutes=minutes)
  meter = rate_finder._Meter(options, reporter, Clock(), stop or StopRequest())
  return rate_finder._Search(trials, config, counts, 6.0, options, meter, reporter).run()


def test_the_range_test_comes_first_and_then_trials_from_the_own_rate_on(config):
  trials = Trials()
  found = search(config, trials)
  first, *others = trials.parts
  assert first[:10] == [0.0] * 10  # at which nothing is learned
  np.testing.assert_allclose(first[10:], np.geomspace(1e-6, 10, 40))
  assert others[0] == [1e-3] * 40
  assert {rate for part in others for rate in part} == {trial.rate for trial in found.trials}
  assert [trial.rate for trial in found.trials] == sorted(trial.rate for trial in found.trials)
  assert found.baseline == pytest.approx((2.0, math.log(4), 0.002, math.log(4)))
  assert found.range_test.diverged == found.rates[len(found.losses) - 1]
  best = min(found.trials, key=lambda trial: trial.order)
  assert (best.outcome, found.is_complete) == (LEARNS, True)
  assert 0.05 < best.rate < 0.5


def test_the_time_limit_ends_the_search_with_the_complete_trials(config):
  trials = Trials()
  # Two readings per step: the limit falls into the second trial.
  found = search(config, trials, minutes=2 * (50 + 40 + 20) / 60)
  assert not found.is_complete
  assert [trial.rate for trial in found.trials] == [1e-3]
  assert found.range_test is not None
  early = search(config, trials, minutes=0.5)
  assert (early.trials, early.range_test, early.is_complete) == ((), None, False)


def test_a_time_limit_before_the_range_test_is_an_error_that_names_the_flag(config):
  # Two readings per step: the limit falls into the first step, and into the last at rate 0.
  for seconds in (0.5, 19):
    with pytest.raises(TrainingError, match=r'over before the .* --find_minutes than 0\.[0-9]+\.$'):
      search(config, Trials(), minutes=seconds / 60)
  assert len(search(config, Trials(), minutes=21 / 60).losses) == 1


def test_guessing_is_what_the_frequencies_of_the_classes_give_in_this_run(config):
  def guessing(counts, weights=(), balanced_batches=False):
    run = dataclasses.replace(config.run, balanced_batches=balanced_batches)
    optimizer = OptimizerConfig(1e-3, class_weights=weights)
    changed = dataclasses.replace(config, run=run, optimizer=optimizer)
    return search(changed, Trials(), counts=counts).baseline.guessing

  unbalanced = (95, 5, 0, 0)
  assert guessing(unbalanced) == pytest.approx(0.1985, abs=1e-4)
  assert guessing(unbalanced, balanced_batches=True) == pytest.approx(math.log(2))
  assert guessing(unbalanced, class_weights.balance(unbalanced)) == pytest.approx(math.log(2))


def test_a_signal_ends_the_search_with_the_complete_trials(config):
  stop = StopRequest()

  class Interrupted(Trials):
    def run(self, rates, should_stop):
      if len(self.parts) == 2:  # the range test and a trial
        stop.signal_name = 'SIGINT'
      return super().run(rates, should_stop)

  trials = Interrupted()
  found = search(config, trials, stop=stop)
  assert len(trials.parts) == 3
  assert [trial.rate for trial in found.trials] == [1e-3]
  assert found.range_test is not None
  assert not found.is_complete


def test_the_length_is_that_of_the_longest_search():
  text = rate_finder.describe_length(RateFinderConfig(find_steps=40, find_minutes=2.5))
  assert text.startswith(
    'At most 50 steps of a range test, the first 10 without a rate, and then 9'
  )
  assert '9 trials of 40 steps each; no more than 2.5 minutes (--find_minutes).' in text


def test_a_loss_that_is_not_finite_before_the_first_update_is_an_error(config):
  with pytest.raises(TrainingError, match='before the first update, so no learning rate can help'):
    search(config, Trials(first=math.nan))


def test_trials_keep_the_warmup_of_the_run_but_end_at_the_full_rate(config):
  def factors(epochs, steps):
    warm = dataclasses.replace(config, optimizer=OptimizerConfig(1e-3, warmup_epochs=epochs))
    return rate_finder.warmup_factors(warm, 2.0, steps)

  assert factors(0.0, 8) == [1.0] * 8
  assert factors(2.0, 40) == [0.25, 0.5, 0.75] + [1.0] * 37
  assert factors(1000.0, 8) == [0.5] + [1.0] * 7


def test_the_status_line_shows_the_remaining_time_and_fits(config, monkeypatch):
  class Terminal(io.StringIO):
    def isatty(self):
      return True

  for width in (40, 80):
    monkeypatch.setenv('COLUMNS', str(width))
    stream = Terminal()
    search(config, Trials(), stream=stream)
    lines = stream.getvalue().replace('\n', '\r').split('\r')
    status = [line.rstrip() for line in lines if 'ETA' in line]
    assert max(map(len, status)) < width
    assert status[0].startswith('range test: step 1/50')
    assert not any('rate 0 ' in line for line in status)
    assert any(line.startswith('trial 2: step 40/40') for line in status)
  assert any('rate 0.001  ETA' in line for line in status)
