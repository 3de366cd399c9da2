import pytest

from vgg_slim.training.history import EpochMetrics
from vgg_slim.training.hooks import progress


class FakeClock:
  now = 100.0

  def __call__(self):
    return self.now


def step(stopwatch, clock, seconds):
  """Makes a step of 8 images and returns the throughput."""
  stopwatch.start()
  clock.now += seconds
  stopwatch.tick(8)
  return stopwatch.images_per_second


class TestStopwatch:
  def test_the_first_step_and_pauses_are_left_out(self):
    clock = FakeClock()
    stopwatch = progress.Stopwatch(clock)
    assert step(stopwatch, clock, 60) == 0  # the first step plans the graph
    assert step(stopwatch, clock, 2) == 8 / 2
    assert step(stopwatch, clock, 4) == 16 / 6
    stopwatch.pause('save')
    clock.now += 1000
    assert step(stopwatch, clock, 1) == 24 / 7  # without the pause

  def test_the_throughput_stays_until_the_first_step_after_a_reset(self):
    clock = FakeClock()
    stopwatch = progress.Stopwatch(clock)
    for seconds in (1, 2):
      step(stopwatch, clock, seconds)
    stopwatch.pause('save')
    stopwatch.reset()
    assert stopwatch.images_per_second == 4
    assert step(stopwatch, clock, 1) == 8

  def test_the_estimate_includes_steps_and_timed_pauses(self):
    clock = FakeClock()
    stopwatch = progress.Stopwatch(clock)
    step(stopwatch, clock, 60)
    assert stopwatch.estimate(10, {'save': 1}) is None
    step(stopwatch, clock, 2)
    assert stopwatch.estimate(10, {}) == (20, True)
    assert stopwatch.estimate(10, {'save': 0, 'end': 2}) == (20, False)
    for kind, seconds in (('save', 5), ('end', 30), ('end', 50)):
      stopwatch.pause('save')
      clock.now += seconds
      stopwatch.extend_pause(kind)
      step(stopwatch, clock, 2)
    assert stopwatch.estimate(10, {'save': 3, 'end': 2}) == (10 * 2 + 3 * 5 + 2 * 40, True)

  def test_a_pause_that_never_began_is_not_timed(self):
    """A resumed run validates before its first step."""
    clock = FakeClock()
    stopwatch = progress.Stopwatch(clock)
    stopwatch.extend_pause('end')
    for seconds in (60, 2):
      step(stopwatch, clock, seconds)
    assert stopwatch.estimate(1, {'end': 1}) == (2, False)


def line(total_steps, seconds, is_complete=True, speed=20.0):
  left = progress.Estimate(seconds, is_complete)
  return progress.format_line(7, total_steps, 0.4, 1.25, 0.5, speed, left)


def test_format_line():
  assert line(120, 65) == (
    'step   7/120  epoch  0.40  loss 1.2500  accuracy 50.0%  20.0 images/s  ETA 1:05'
  )
  assert line(120, 65, is_complete=False).endswith('s ETA >1:05')
  first = progress.format_line(1, 120, 0.4, 1.25, 0.5, 0.0, None)
  assert first.endswith('     - images/s  ETA -')


@pytest.mark.parametrize('columns', [60, 80, 120, 200])
@pytest.mark.parametrize('total_steps', [9, 120, 9999, 370_000, 2_000_000])
def test_a_line_fits_the_terminal_and_no_number_is_cut(total_steps, columns):
  left = progress.Estimate(3599 * 100, False)
  numbers = (total_steps, total_steps, 123.45, 12.3456, 1.0, 12345.0, left)
  text = progress.format_line(*numbers, width=columns - 1)
  assert len(text) < columns
  assert text.startswith(f'step {total_steps}/{total_steps} ')
  assert 'loss 12.3456' in text
  assert text.endswith('ETA >99:58:20')
  if columns >= 120:
    assert 'epoch 123.45  loss 12.3456  accuracy 100.0%  12345 images/s' in text


METRICS = EpochMetrics(45, 1.002, 2.87197, 0.1243, 2.95336, 0.1, 0.004, 1065.5)


@pytest.mark.parametrize('width', [None, 120, 92])
def test_an_epoch_is_one_line_where_it_fits(width):
  assert progress.format_epoch(METRICS, 9.34, width) == (
    'epoch 1.00: train loss 2.8720 accuracy 12.43%, validation loss 2.9534 accuracy 10.00%, 9.3 s'
  )


@pytest.mark.parametrize('width', [60, 79, 91])
def test_an_epoch_is_two_lines_elsewhere(width):
  assert progress.format_epoch(METRICS, 9.34, width).split('\n') == [
    'epoch 1.00: train      loss 2.8720 accuracy 12.43%, 9.3 s',
    '            validation loss 2.9534 accuracy 10.00%',
  ]


UNEVEN = METRICS._replace(
  validation_accuracy=0.9643, validation_balanced_accuracy=0.5, validation_macro_f1=0.491
)


def test_metrics_of_equal_classes_are_shown_where_they_differ():
  assert 'validation loss 2.9534 accuracy 96.43% balanced 50.00% F1 0.491, 9.3 s' in (
    progress.format_epoch(UNEVEN, 9.34, None)
  )
  even = UNEVEN._replace(validation_balanced_accuracy=0.9643)
  assert progress.format_epoch(even, 9.34, None).endswith('accuracy 96.43%, 9.3 s')
  assert progress.format_epoch(UNEVEN, 9.34, 79).split('\n')[1:] == [
    '            validation loss 2.9534 accuracy 96.43% balanced 50.00% F1 0.491'
  ]
  assert progress.format_epoch(UNEVEN, 9.34, 60).split('\n')[1:] == [
    '            validation loss 2.9534 accuracy 96.43%',
    '                       balanced 50.00% F1 0.491',
  ]
