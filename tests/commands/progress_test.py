import contextlib
import io
import json

import pytest
from absl.testing import flagsaver

from vgg_slim import reporting
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
    'Converting   42%   50/120 images  10 images/s  ETA 0:07',
    'Converting   83%  100/120 images  10 images/s  ETA 0:02',
    'Converting  100%  120/120 images  10 images/s  ETA 0:00',
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
    stream.getvalue().splitlines()[0]
    == 'Converting   98%  9005/9200 images  1.0 images/s  ETA 3:15'
  )


def test_a_terminal_shows_one_line_that_is_overwritten(monkeypatch):
  monkeypatch.setenv('COLUMNS', '80')
  now = [100.0]
  monkeypatch.setattr(reporting.time, 'monotonic', lambda: now[0])
  stream = Terminal()
  with progress.show('Reading', unit='rows', stream=stream) as report:
    for done in range(1, 4):
      now[0] += 1
      report(done, 3)
  shown = [text.strip() for text in stream.getvalue().split('\r')]
  assert shown == [
    'Reading ...',
    'Reading   33%  1/3 rows',
    'Reading   67%  2/3 rows  1.0 rows/s  ETA 0:01',
    'Reading  100%  3/3 rows  1.0 rows/s  ETA 0:00',
  ]


def test_a_plain_terminal_gets_lines():
  stream = Terminal()
  with (
    flagsaver.flagsaver(progress='plain'),
    progress.show('Reading', unit='rows', stream=stream) as report,
  ):
    report(3, 3)
  assert stream.getvalue() == 'Reading  100%  3/3 rows\n'


def test_a_program_gets_objects(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(reporting.time, 'monotonic', lambda: now[0])
  output = io.StringIO()
  with contextlib.redirect_stdout(reporting.JsonStream(output)):
    with progress.show('Converting', total=10) as report:
      for done in (1, 4, 10):
        now[0] += 2
        report(done, 10)
    progress.say('Done.')
  first, *reports, last = [json.loads(line) for line in output.getvalue().splitlines()]
  assert first == {'event': 'phase', 'phase': 'Converting'}
  assert last == {'event': 'message', 'text': 'Done.'}
  assert [(r['step'], r['images_per_second'], r['eta_seconds']) for r in reports] == [
    (1, None, None),
    (4, 0.75, 8.0),
    (10, 1.5, 0.0),
  ]
  assert {(r['event'], r['phase'], r['total'], r['unit']) for r in reports} == {
    ('progress', 'Converting', 10, 'images')
  }


@pytest.mark.parametrize('columns', [60, 80, 120, 200])
def test_a_line_fits_the_terminal_and_no_number_is_cut(columns):
  numbers = ('Evaluating resnet_v1_101', 1234567, 12345678, 'crops', 12345.0)
  text = progress.format_line(*numbers, width=columns - 1)
  assert len(text) < columns
  assert text.startswith('Evaluating resnet_v1_101 ')
  assert ' 1234567/12345678 crops' in text
  assert text.endswith('ETA 15:00')
  assert ('12345 crops/s' in text) == (columns >= 80)
  assert ('10%' in text) == (columns >= 80)


def test_with_a_total_the_rate_counts_preparations(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  stream = io.StringIO()
  with progress.show('Converting', stream=stream, total=20) as report:
    now[0] += 3  # planning
    report(10, 20)  # an earlier process did these
    now[0] += 2
    report(20, 20)
  assert stream.getvalue().splitlines() == [
    'Converting  100%  20/20 images  2.0 images/s  ETA 0:00'
  ]
  assert (report.rate, report.seconds, report.before) == (2, 5, 10)


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
  assert stream.getvalue() == 'Predicting  100%  1/1 images\n'
