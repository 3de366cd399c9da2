import itertools

import pytest

from vgg_slim.benchmarks import timing


def test_time_batches_reads_the_clock_around_each_batch():
  ticks = iter([0.0, 1.0, 10.0, 12.0, 20.0, 24.0])
  calls = itertools.count()
  assert timing.time_batches(lambda: next(calls), 3, lambda: next(ticks)) == [1.0, 2.0, 4.0]
  assert next(calls) == 3


def test_statistics_by_hand():
  statistics = timing.describe([4.0, 1.0, 3.0, 2.0, 5.0])
  # Mean 3; deviations 1, -2, 0, -1, 2: variance 10 / 5.
  assert statistics == pytest.approx((3.0, 2.0, 4.0, 3.0, 2**0.5, 5))


def test_ratio_of_turns_cancels_what_slows_both():
  ours = [[1.0, 1.0, 9.0], [10.0, 10.0], [2.0]]
  theirs = [[2.0, 2.0], [30.0], [2.0, 2.0, 2.0]]
  # Quotients of medians: 2, 3, 1.
  assert timing.ratio_of_turns(ours, theirs) == (2.0, 1.5, 2.5)


def test_ratio_of_runs_is_bounded_by_the_quartiles():
  new = timing.Statistics(2.0, 1.0, 4.0, 0, 0, 9)
  old = timing.Statistics(3.0, 2.0, 6.0, 0, 0, 9)
  assert timing.ratio_of_runs(new, old) == (1.5, 0.5, 6.0)
  assert str(timing.ratio_of_runs(new, old)) == '1.50x (0.50 - 6.00)'


def test_prefetched_batches_of_a_stream_do_not_count():
  taken, seconds = [], [0.0]

  def take():
    taken.append(None)
    # Twenty batches are ready; further ones arrive in pairs, as from two processes.
    if len(taken) > 20 and len(taken) % 2:
      seconds[0] += 2.0

  times = timing.time_stream(take, 12, clock=lambda: seconds[0])
  assert len(taken) == timing._PREFETCHED + 12
  # After the first 16, the timed 12 are four that were ready, and four pairs of two seconds each.
  assert times == [4 * 2.0 / 12] * 12
