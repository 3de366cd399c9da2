import math

import numpy as np
import pytest

from vgg_slim.training import rate_search
from vgg_slim.training.rate_search import DIVERGED, LEARNS, NOTHING, TOO_HIGH, Baseline, Trial

STEPS = 100


def test_the_average_is_the_weighted_mean_of_all_losses_so_far():
  losses = np.random.default_rng(0).uniform(0, 5, 40)
  weights = 0.9 ** np.arange(40)[::-1]
  expected = [np.average(losses[: n + 1], weights=weights[39 - n :]) for n in range(40)]
  np.testing.assert_allclose(rate_search.smooth(losses), expected, rtol=1e-12)


def test_the_average_is_undefined_from_the_first_loss_that_is_not_finite():
  assert rate_search.smooth([1.0, math.inf, 1.0])[0] == 1
  assert np.isnan(rate_search.smooth([1.0, math.inf, 1.0])[1:]).all()


def test_the_baseline_is_mean_and_noise_of_the_losses():
  assert rate_search.measure_baseline([2.0, 3.0], 1.2, 1.4) == (2.5, 1.2, 0.5, 1.4)
  assert rate_search.measure_baseline([2.0, 2.0], 1.2, 1.4).noise == 0.002


def test_guessing_is_the_lowest_loss_of_one_answer_for_all_images():
  assert rate_search.guessing_loss([3, 3, 3, 3]) == pytest.approx(math.log(4))
  assert rate_search.guessing_loss([95, 5]) == pytest.approx(0.1985, abs=1e-4)
  assert rate_search.guessing_loss([95, 5, 0], [0.5, 10.5, 9.0]) == pytest.approx(
    -0.475 * math.log(0.475) - 0.525 * math.log(0.525)
  )
  counts, smoothing, answers = [60, 30, 10], 0.2, np.random.default_rng(0).dirichlet([2] * 3, 9999)
  targets = 0.8 * np.eye(3) + smoothing / 3
  losses = -np.log(answers) @ targets.T @ np.array(counts) / 100
  found = rate_search.guessing_loss(counts, (), smoothing)
  assert losses.min() - 0.01 < found <= losses.min()


@pytest.mark.parametrize(
  ('start', 'last', 'has_diverged'),
  [(1.0, 2.5, False), (1.0, 2.9, True), (2.0, 3.9, False), (2.0, 4.1, True), (1.0, math.nan, True)],
)
def test_twice_the_loss_of_start_or_guessing_is_divergence(start, last, has_diverged):
  assert Baseline(start, 0.2, 0.1, math.log(4)).has_diverged([last]) == has_diverged


def descent(rates, curvature=4.0):
  """Losses of gradient descent on curvature / 2 * w**2 + 0.1 from w = 1; diverges from 2 / 4 on."""
  weight, losses = 1.0, []
  for rate in rates:
    losses.append(curvature / 2 * weight**2 + 0.1)
    weight -= rate * curvature * weight
  return losses


def test_a_range_test_of_a_quadratic_diverges_soon_after_the_largest_stable_rate():
  rates = np.geomspace(1e-5, 100, 140)
  losses = descent(rates)
  baseline = Baseline(losses[0], losses[0], 0.01, losses[0])
  made = next(n for n in range(1, 141) if baseline.has_diverged(losses[:n]))
  reading = rate_search.read_range_test(list(rates), losses[:made], baseline)
  # 20 steps per decade: the rates so far sum up to 1 / 4, which takes 1 / e of the error, at 0.026.
  assert reading.steepest == pytest.approx(0.026, rel=0.3)
  # Rates above 2 / 4 need some steps to let the error grow again.
  assert 0.5 < reading.lowest < reading.diverged < 5


def test_the_first_averages_which_are_noisy_are_not_the_steepest_descent():
  losses = [2.5, 2.1, *[2.3] * 38, *np.linspace(2.3, 1.5, 20)]
  rates = list(np.geomspace(1e-6, 1, 60))
  reading = rate_search.read_range_test(rates, losses, Baseline(2.3, 2.3, 0.05, 2.3))
  assert rates[40] < reading.steepest <= reading.lowest == rates[59]


def test_a_range_test_on_a_plateau_shows_no_descent():
  losses = 2.3 + 0.01 * np.random.default_rng(0).standard_normal(60)
  baseline = rate_search.measure_baseline(losses[:10], math.log(10), math.log(10))
  rates = list(np.geomspace(1e-6, 1, 60))
  assert rate_search.read_range_test(rates, list(losses), baseline) == (None, None, None)


BASELINE = Baseline(start=2.4, guessing=2.3, noise=0.05, chance=2.3)


def outcome(losses, baseline=BASELINE):
  return rate_search.judge({0.1: losses}, baseline)[0.1].outcome


@pytest.mark.parametrize(
  ('losses', 'expected'),
  [
    ([2.4] * 75 + [2.2] * 25, LEARNS),
    # The noise of the mean of 25 steps is 0.01, of which 3 are needed.
    ([2.4] * 75 + [2.28] * 25, NOTHING),
    ([2.4] * 75 + [2.26] * 25, LEARNS),
    # With more noise than at the start, it is 0.08 at a mean of 2.2, and 0.06 at 2.1.
    ([2.4] * 75 + [1.8, 2.6] * 12 + [2.2], NOTHING),
    ([2.4] * 75 + [1.8, 2.4] * 12 + [2.1], LEARNS),
    # Less than half of guessing is enough, whatever the noise.
    ([2.4] * 15 + [0.0, 0.0, 0.0, 0.0, 5.5], LEARNS),
    ([2.35] * 100, NOTHING),  # it only unlearns a bad start
    ([2.4, *[2.7] * 9, *[2.3] * 90], TOO_HIGH),
    ([2.4, *[2.7] * 9, *[1.9] * 90], LEARNS),
    ([2.4, 9.0], DIVERGED),
    ([2.4, math.nan], DIVERGED),
  ],
)
def test_a_trial_is_judged_by_its_end_and_its_highest_loss(losses, expected):
  assert outcome(losses) == expected


def noisy_fall(end):
  """Losses that fall from 16.23 with a noise of 3 to an end with a noise of a tenth."""
  noise = np.random.default_rng(0).normal(0, 1, 100)
  heights = np.maximum(end, np.geomspace(16.23, 0.01, 100))
  return list(heights + noise * np.minimum(3, heights / 10))


def test_a_loss_that_starts_high_and_noisy_can_still_learn():
  baseline = Baseline(start=16.23, guessing=0.693, noise=3.0, chance=0.693)
  assert outcome(noisy_fall(0.179), baseline) == LEARNS
  assert outcome(noisy_fall(0.693), baseline) == NOTHING
  rates = list(np.geomspace(1e-6, 1, 100))
  reading = rate_search.read_range_test(rates, noisy_fall(0.179), baseline)
  assert reading.steepest is not None
  assert rate_search.read_range_test(rates, noisy_fall(0.693), baseline).steepest is None


def test_the_frequencies_of_the_classes_alone_are_nothing_learned():
  rng = np.random.default_rng(0)
  rare = rng.binomial(7, 0.05, 100) / 7
  losses = list(-rare * math.log(0.05) - (1 - rare) * math.log(0.95))
  guessing = rate_search.guessing_loss([95, 5])
  assert outcome(losses, Baseline(0.693, guessing, 0.01, 0.693)) == NOTHING


def test_a_rate_that_learns_nothing_where_a_lower_one_does_is_too_high():
  losses = {0.1: [2.3] * 40, 1e-2: [1.0] * 40, 1e-3: [2.3] * 40}
  trials = rate_search.judge(losses, BASELINE)
  assert {rate: trial.outcome for rate, trial in trials.items()} == {
    0.1: TOO_HIGH,
    1e-2: LEARNS,
    1e-3: NOTHING,
  }
  assert (trials[1e-2].end, trials[1e-2].highest) == (1.0, pytest.approx(1.0))


def search(run_trial, own, baseline, lowest=1e-6, highest=10.0):
  losses, trials = {}, {}
  while (rate := rate_search.next_rate(trials, own, lowest, highest)) is not None:
    assert rate not in losses
    made = run_trial(rate)
    end = next((n for n in range(1, len(made)) if baseline.has_diverged(made[:n])), len(made))
    losses[rate] = made[:end]
    trials = rate_search.judge(losses, baseline)
  return trials


@pytest.mark.parametrize('own', [1e-5, 3e-3, 0.25, 5.0])
def test_the_search_of_a_quadratic_ends_below_the_largest_stable_rate(own):
  baseline = Baseline(2.1, 2.1, 0.001, 2.1)
  trials = search(lambda rate: descent([rate] * 20), own, baseline)
  suggestion = rate_search.suggest(trials)
  assert next(iter(trials)) == own
  assert len(trials) <= 9
  # Any rate from 0.1 to 0.4 shrinks the error by more than 1 / 1000 in 20 steps.
  assert 0.05 <= suggestion.rate <= 0.4
  assert suggestion.is_certain


class Regression:
  """Logistic regression of two noisy classes by SGD with momentum on batches of 16 images."""

  def __init__(self, scale):
    rng = np.random.default_rng(1)
    self._labels = rng.integers(0, 2, 400)
    self._features = scale * (rng.normal(0, 1, [400, 8]) + 0.7 * self._labels[:, None])
    self._batches = rng.integers(0, 400, [STEPS, 16])

  def run(self, rate):
    weights, velocity, losses = np.zeros(8), np.zeros(8), []
    for batch in self._batches:
      features, signs = self._features[batch], 2 * self._labels[batch] - 1
      margins = signs * (features @ weights)
      losses.append(np.logaddexp(0, -margins).mean())
      gradient = -(features * (signs * np.exp(-np.logaddexp(0, margins)))[:, None]).mean(0)
      velocity = 0.9 * velocity + gradient
      weights = weights - rate * velocity
    return losses


@pytest.mark.parametrize('scale', [0.1, 1.0, 10.0])
def test_the_search_finds_the_best_rate_of_a_regression_among_all(scale):
  run = Regression(scale).run
  baseline = rate_search.measure_baseline([math.log(2)] * 10, math.log(2), math.log(2))
  trials = search(run, 1e-3, baseline)
  found = rate_search.suggest(trials)
  everywhere = rate_search.judge({rate: run(rate) for rate in np.geomspace(1e-6, 10, 29)}, baseline)
  best = rate_search.best(everywhere)
  assert found.is_certain
  assert found.best.end < best.end + 0.05 * (math.log(2) - best.end)


QUIET = Baseline(2.3, 2.3, 0.01, 2.3)


def trial(rate, outcome, end=1.0):
  return Trial(rate, (2.3,), outcome, end, 2.3)


def table(*trials):
  return {trial.rate: trial for trial in trials}


def test_next_to_a_rate_that_is_too_high_half_of_the_best_is_suggested():
  trials = table(trial(0.003, LEARNS, 2.0), trial(0.01, LEARNS), trial(0.03, TOO_HIGH))
  suggestion = rate_search.suggest(trials)
  assert (suggestion.rate, suggestion.best.rate) == (0.005, 0.01)
  assert suggestion.breaks == trials[0.03]
  assert suggestion.has_margin


def test_with_a_good_neighbor_above_the_best_itself_is_suggested():
  trials = table(trial(0.01, LEARNS), trial(0.03, LEARNS, 1.1), trial(0.1, DIVERGED, math.inf))
  suggestion = rate_search.suggest(trials)
  assert (suggestion.rate, suggestion.has_margin) == (0.01, False)
  assert suggestion.breaks == trials[0.1]


def test_a_search_in_which_nothing_learns_is_not_certain():
  suggestion = rate_search.suggest(table(trial(0.1, TOO_HIGH, 2.2), trial(0.01, NOTHING, 2.3)))
  assert (suggestion.rate, suggestion.best.rate, suggestion.is_certain) == (0.01, 0.01, False)


@pytest.mark.parametrize(
  ('rate', 'outcome', 'end', 'is_in'),
  [
    (0.001, LEARNS, 2.2, True),  # slower at first, but it learns
    (0.001, NOTHING, 2.3, False),
    (0.1, LEARNS, 1.5, True),
    (0.1, LEARNS, 2.0, False),  # 2.3 to 1.0: less than half as much
    (0.1, TOO_HIGH, 2.3, False),
  ],
)
def test_a_rate_is_in_range_if_it_learns(rate, outcome, end, is_in):
  own = trial(rate, outcome, end)
  suggestion = rate_search.suggest(table(own, trial(0.01, LEARNS)))
  assert rate_search.is_in_range(own, suggestion, BASELINE) == is_in


def test_the_first_trial_is_the_own_rate_and_the_others_stay_in_the_range():
  assert rate_search.next_rate({}, 50.0, 1e-3, 1.0) == 50
  trials = table(trial(50.0, DIVERGED, math.inf))
  assert rate_search.next_rate(trials, 50.0, 1e-3, 0.47) == 0.47
  assert rate_search.next_rate(trials, 50.0, 1e-3, 9.0) == 5
  one = table(trial(1e-3, LEARNS))
  assert rate_search.next_rate(one, 1e-3, 1e-3, 5e-3) == 5e-3
  assert rate_search.next_rate(one, 1e-3, 1e-3, 1.4e-3) is None


def test_the_search_goes_down_from_rates_that_are_all_too_high():
  rates = search(lambda rate: [2.3, 2.9, *[2.4] * 9, *[2.3 - 1e-3 * rate] * 20], 1.0, QUIET)
  assert min(rates) == 1e-6
  rates = search(lambda rate: [2.3, math.nan], 1e30, QUIET)
  assert {1e30, 10.0, 1.0, 0.1, 1e-6} <= rates.keys()
  assert rate_search.suggest(rates).rate == 1e-6
