import io

import pytest
from absl.testing import flagsaver

from vgg_slim.commands import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_lines_are_printed_every_few_seconds_and_at_the_end(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  stream = io.StringIO()
  with progress.show('Converting', stream=stream) as report:
    for done in range(1, 13):
      now[0] += 1
      report(10 * done, 120)
  assert stream.getvalue().splitlines() == [
    'Converting: 50 of 120 images, 10 images/s, 7 s left',
    'Converting: 100 of 120 images, 10 images/s, 2 s left',
    'Converting: 120 of 120 images, 10 images/s, 0 s left',
  ]


def test_work_of_an_earlier_process_does_not_count_in_the_rate(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  stream = io.StringIO()
  with progress.show('Converting', stream=stream) as report:
    for done in range(9_001, 9_021):
      now[0] += 1
      report(done, 9_200)
  assert (
    stream.getvalue().splitlines()[0] == 'Converting: 9005 of 9200 images, 1 images/s, 195 s left'
  )


def test_a_bar_starts_where_resumed_work_does(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  bars = []
  make = progress.progress.Progress

  def keep(*columns, **options):
    bars.append(make(*columns, get_time=lambda: now[0], **options))
    return bars[0]

  monkeypatch.setattr(progress.progress, 'Progress', keep)
  with progress.show('Converting', stream=Terminal()) as report:
    for done in range(9_001, 9_021):
      now[0] += 1
      report(done, 9_200)
    assert bars[0].tasks[0].speed == pytest.approx(1, rel=0.1)
    assert bars[0].tasks[0].completed == 9_020


def test_a_terminal_gets_a_bar():
  stream = Terminal()
  with progress.show('Reading', unit='rows', stream=stream) as report:
    for done in range(1, 4):
      report(done, 3)
  assert 'Reading' in stream.getvalue()
  assert '3/3' in stream.getvalue()


def test_with_a_total_the_rate_counts_preparations(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  stream = io.StringIO()
  with progress.show('Converting', stream=stream, total=20) as report:
    now[0] += 3  # planning
    report(10, 20)  # an earlier process did these
    now[0] += 2
    report(20, 20)
  assert stream.getvalue().splitlines() == ['Converting: 20 of 20 images, 2 images/s, 0 s left']
  assert (report.rate, report.seconds, report.before) == (2, 5, 10)


def test_a_bar_has_its_total_before_the_first_call():
  stream = Terminal()
  with progress.show('Converting', stream=stream, total=20):
    pass
  assert '0/20' in stream.getvalue()


def test_an_error_passes_through():
  stream = io.StringIO()
  try:
    with progress.show('Reading', stream=stream):
      raise KeyError('x')
  except KeyError as error:
    assert error.args == ('x',)
  assert stream.getvalue() == ''


def test_quiet_hides_what_is_said(capsys):
  with flagsaver.flagsaver(quiet=True):
    progress.say('hidden')
  with flagsaver.flagsaver(quiet=False):
    progress.say('shown')
  assert capsys.readouterr().out == 'shown\n'


def test_quiet_shows_nothing():
  stream = Terminal()
  with flagsaver.flagsaver(quiet=True), progress.show('Reading', stream=stream) as report:
    report(3, 3)
  assert stream.getvalue() == ''


def test_work_done_in_one_piece_has_no_rate():
  stream = io.StringIO()
  with progress.show('Predicting', stream=stream) as report:
    report(1, 1)
  assert stream.getvalue() == 'Predicting: 1 of 1 images\n'
