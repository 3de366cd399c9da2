import itertools

import pytest

from vgg_slim.benchmarks import timing


def test_time_batches_reads_the_clock_around_each_batch():
  ticks = iter([0.0, 1.0, 10.0, 12.0, 20.0, 24.0])
  calls = itertools.count()
  assert timing.time_batches(lambda: next(calls), 3, lambda: next(ticks)) == [1.0, 2.0, 4.0]
  assert next(calls) == 3


def test_statistics_by_hand():
  got = timing.describe([4.0, 1.0, 3.0, 2.0, 5.0])
  # Mean 3; deviations 1, -2, 0, -1, 2: variance 10 / 5.
  assert got == pytest.approx((3.0, 2.0, 4.0, 3.0, 2**0.5, 5))


def test_turns_take_out_what_slows_both():
  ours = [[1.0, 1.0, 9.0], [10.0, 10.0], [2.0]]
  theirs = [[2.0, 2.0], [30.0], [2.0, 2.0, 2.0]]
  # Quotients of medians: 2, 3, 1.
  assert timing.ratio_of_turns(ours, theirs) == (2.0, 1.5, 2.5)


def test_runs_at_different_times_by_quartiles():
  new = timing.Statistics(2.0, 1.0, 4.0, 0, 0, 9)
  old = timing.Statistics(3.0, 2.0, 6.0, 0, 0, 9)
  assert timing.ratio_of_runs(new, old) == (1.5, 0.5, 6.0)
  assert str(timing.ratio_of_runs(new, old)) == '1.50x (0.50 - 6.00)'


def test_of_a_stream_what_was_made_ahead_does_not_count():
  taken, seconds = [], [0.0]

  def take():
    taken.append(None)
    # Twenty are ready; then they come in pairs, as from two processes.
    if len(taken) > 20 and len(taken) % 2:
      seconds[0] += 2.0

  found = timing.time_stream(take, 12, clock=lambda: seconds[0])
  assert len(taken) == timing._AHEAD + 12
  # The last 12 after 16: four that were ready, and four pairs of two seconds each.
  assert found == [4 * 2.0 / 12] * 12
