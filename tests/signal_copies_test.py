import itertools

import pytest

from vgg_slim import signal_copies


@pytest.mark.parametrize(
  ('times', 'copies'),
  [
    ([0], [False]),
    ([0, 0, 0.499, 0.5], [False, True, True, False]),
    ([7, 7.4, 7.8, 8.2], [False, True, False, True]),
  ],
)
def test_signals_within_half_a_second_of_one_are_its_copies(monkeypatch, times, copies):
  clock = iter(times)
  monkeypatch.setattr(signal_copies.time, 'monotonic', lambda: next(clock))
  signals = signal_copies.SignalCopies()
  assert [signals.is_copy() for _ in times] == copies


def test_what_has_come_is_not_shared(monkeypatch):
  monkeypatch.setattr(signal_copies.time, 'monotonic', itertools.repeat(0).__next__)
  assert not signal_copies.SignalCopies().is_copy()
  assert not signal_copies.SignalCopies().is_copy()
