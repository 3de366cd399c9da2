import io

import pytest

from vgg_slim.training import progress


class FakeClock:
  def __init__(self, *times):
    self._times = iter(times)

  def __call__(self):
    return next(self._times)


class TestStopwatch:
  def test_first_step_and_pauses_are_left_out(self):
    stopwatch = progress.Stopwatch(FakeClock(100, 102, 104, 1000, 1001))
    stopwatch.tick(8)
    assert stopwatch.images_per_second == 0
    stopwatch.tick(8)
    stopwatch.tick(8)
    assert stopwatch.images_per_second == 16 / 4
    stopwatch.pause()
    stopwatch.tick(8)
    stopwatch.tick(8)
    assert stopwatch.images_per_second == 24 / 5

  def test_reset_forgets(self):
    stopwatch = progress.Stopwatch(FakeClock(0, 1, 3))
    stopwatch.tick(1)
    stopwatch.tick(1)
    stopwatch.reset()
    stopwatch.tick(4)
    assert stopwatch.images_per_second == 2


@pytest.mark.parametrize(
  ('seconds', 'text'), [(6.6, '0:07'), (59.6, '1:00'), (725, '12:05'), (11229, '3:07:09')]
)
def test_format_duration(seconds, text):
  assert progress.format_duration(seconds) == text


def test_format_line():
  line = progress.format_line(7, 120, 0.4, 1.25, 0.5, 20.0, images_left=1300)
  assert line == (
    'step   7/120  epoch   0.40  loss  1.2500  accuracy  50.0%    20.0 images/s  ETA 1:05'
  )


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_status_is_overwritten_on_a_terminal():
  stream = Terminal()
  reporter = progress.Reporter(stream)
  reporter.status('long status')
  reporter.line('short')
  assert stream.getvalue() == 'long status\rshort      \n'


def test_a_quiet_one_leaves_progress_out():
  stream = Terminal()
  reporter = progress.Reporter(stream, quiet=True)
  reporter.status('status')
  reporter.progress('step 1')
  reporter.line('alarm')
  assert stream.getvalue() == 'alarm\n'


def test_status_is_left_out_elsewhere():
  stream = io.StringIO()
  reporter = progress.Reporter(stream)
  reporter.status('status')
  reporter.line('line')
  assert stream.getvalue() == 'line\n'
