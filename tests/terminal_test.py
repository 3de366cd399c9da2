import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from vgg_slim import terminal

TEXT = 'Resuming from runs/a_long_name_of_a_run/model.ckpt-60 at once, as it was.'


@pytest.fixture
def screen(monkeypatch):
  """A stream to a terminal of 40 columns."""
  monkeypatch.delenv('COLUMNS', raising=False)
  reader, writer = pty.openpty()
  fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 40, 0, 0))
  with open(writer, 'w') as stream:
    yield stream
  os.close(reader)


def test_the_width_is_that_of_the_terminal_of_the_stream(screen):
  assert terminal.columns(screen) == 40


def test_without_a_terminal_the_width_is_80(monkeypatch, tmp_path):
  monkeypatch.delenv('COLUMNS', raising=False)
  with (tmp_path / 'file').open('w') as file:
    assert [terminal.columns(stream) for stream in (file, io.StringIO())] == [80, 80]


@pytest.mark.parametrize(('value', 'columns'), [('120', 120), ('0', 40), ('', 40), ('x', 40)])
def test_an_environment_variable_sets_the_width(screen, monkeypatch, value, columns):
  monkeypatch.setenv('COLUMNS', value)
  assert terminal.columns(screen) == columns


def test_text_is_divided_at_spaces_and_long_words_stay_whole(screen):
  assert terminal.fold(f'Short.\n{TEXT}', screen).split('\n') == [
    'Short.',
    'Resuming from',
    '  runs/a_long_name_of_a_run/model.ckpt-60',
    '  at once, as it was.',
  ]


def test_text_stays_one_line_in_a_file():
  assert terminal.fold(TEXT, io.StringIO()) == TEXT


def test_shown_text_is_folded(capsys, monkeypatch):
  monkeypatch.setenv('COLUMNS', '10')
  terminal.show('a word and more')
  assert capsys.readouterr().out == 'a word and more\n'  # not a terminal


@pytest.mark.parametrize(
  ('width', 'line'),
  [
    (16, 'aaaa  bbbb  cccc'),
    (15, 'aaaa bbbb cccc'),
    (13, 'aaaa  cccc'),
    (9, 'aaaa cccc'),
    (8, 'cccc'),
    (3, 'cccc'),
  ],
)
def test_fields_are_left_out_only_where_less_space_does_not_help(width, line):
  fields = {'a': 'aaaa', 'b': 'bbbb', 'c': 'cccc'}
  assert terminal.fit_fields(fields, ('b', 'a'), width) == line
  assert list(fields) == ['a', 'b', 'c']
