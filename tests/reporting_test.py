import io
import json

import pytest

from vgg_slim import reporting
from vgg_slim.reporting import JsonReporter, JsonStream, Reporter


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.mark.parametrize(
  ('seconds', 'text'), [(6.6, '0:07'), (59.6, '1:00'), (725, '12:05'), (11229, '3:07:09')]
)
def test_format_duration(seconds, text):
  assert reporting.format_duration(seconds) == text


@pytest.mark.parametrize('columns', [60, 80, 120, 200])
def test_the_width_is_that_of_the_terminal(monkeypatch, columns):
  monkeypatch.setenv('COLUMNS', str(columns))
  assert Reporter(Terminal()).width == columns - 1
  assert Reporter(io.StringIO()).width == 79


def test_status_is_overwritten_on_a_terminal():
  stream = Terminal()
  reporter = Reporter(stream)
  reporter.status('long status')
  reporter.line('short')
  assert stream.getvalue() == 'long status\rshort      \n'


def test_clearing_removes_the_status_only():
  stream = Terminal()
  reporter = Reporter(stream)
  reporter.clear()
  reporter.status('status')
  reporter.clear()
  assert stream.getvalue() == 'status\r      \r'


def test_a_quiet_reporter_leaves_out_progress():
  stream = Terminal()
  reporter = Reporter(stream, quiet=True)
  reporter.status('status')
  reporter.progress('step 1')
  reporter.phase('reading', 'Reading')
  reporter.part(1, 2)
  reporter.line('alarm')
  assert stream.getvalue() == 'alarm\n'


@pytest.mark.parametrize('stream', [io.StringIO(), Terminal()])
def test_without_a_terminal_or_where_it_is_plain_there_are_only_lines(stream):
  reporter = Reporter(stream, is_plain=True)
  reporter.status('status')
  reporter.phase('building', 'Building the graph')
  reporter.phase('saving', 'saving', 'ETA 0:05', is_brief=True)
  reporter.line('line')
  assert stream.getvalue() == 'Building the graph ...\nline\n'


def test_lines_fit_the_terminal_and_the_status_below_is_overwritten(monkeypatch):
  monkeypatch.setenv('COLUMNS', '20')
  stream = Terminal()
  reporter = Reporter(stream)
  reporter.status('a status of 18 ch.')
  reporter.line('The last line of a run.')
  assert stream.getvalue() == 'a status of 18 ch.\rThe last line of a\n  run.\n'


def test_the_parts_of_a_phase_are_shown_from_time_to_time(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(reporting.time, 'monotonic', lambda: now[0])
  stream, screen = io.StringIO(), Terminal()
  reporters = [Reporter(stream), Reporter(screen)]
  for reporter in reporters:
    reporter.phase('validating', 'validating', 'ETA 0:09', is_brief=True)
  for done in range(1, 13):
    now[0] += 1
    for reporter in reporters:
      reporter.part(done, 12)
  assert stream.getvalue().splitlines() == [
    'validating 5/12 images  ETA 0:09',
    'validating 10/12 images  ETA 0:09',
  ]
  assert screen.getvalue().count('\r') == 13


def test_the_remaining_time_is_left_out_before_a_number_is_cut(monkeypatch):
  monkeypatch.setenv('COLUMNS', '25')
  now = [100.0]
  monkeypatch.setattr(reporting.time, 'monotonic', lambda: now[0])
  stream = Terminal()
  reporter = Reporter(stream)
  reporter.phase('x', 'checking', 'ETA 0:09:00')
  now[0] += 1
  reporter.part(5000, 9000)
  assert stream.getvalue().split('\r')[1] == 'checking 5000/9000 images'[:24]


def events(text):
  return [json.loads(line) for line in text.splitlines()]


def test_a_program_gets_an_object_per_line():
  stream = io.StringIO()
  reporter = JsonReporter(JsonStream(stream))
  reporter.line('Starting from "x".\nTwo lines.')
  reporter.progress('step 1')
  reporter.status('step 1')
  reporter.event('progress', step=1, loss=float('nan'), rate=float('inf'))
  reporter.phase('validating', 'validating', 'ETA 0:05', eta_seconds=5.5)
  reporter.part(1, 3)
  reporter.part(3, 3)
  assert events(stream.getvalue()) == [
    {'event': 'message', 'text': 'Starting from "x".'},
    {'event': 'message', 'text': 'Two lines.'},
    {'event': 'progress', 'step': 1, 'loss': None, 'rate': None},
    {'event': 'phase', 'phase': 'validating', 'eta_seconds': 5.5},
    {'event': 'progress', 'phase': 'validating', 'step': 3, 'total': 3, 'unit': 'images'},
  ]


def test_text_in_pieces_becomes_messages():
  stream = io.StringIO()
  output = JsonStream(stream)
  print('a', 'b', file=output)
  print(end='\n\n', file=output)
  print('no end', end='', file=output)
  output.finish()
  output.finish()
  assert [event['text'] for event in events(stream.getvalue())] == ['a b', 'no end']


def test_nothing_follows_the_end():
  stream = io.StringIO()
  output = JsonStream(stream)
  print('last', end='', file=output)
  output.end(130)
  output.event('progress', step=1)
  output.end(1)
  assert events(stream.getvalue()) == [
    {'event': 'message', 'text': 'last'},
    {'event': 'end', 'exit_code': 130},
  ]
