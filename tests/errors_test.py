import errno

import pytest

from vgg_slim.errors import DataError, describe_file_error, one_line, reason


def test_a_message_becomes_one_line():
  assert one_line(DataError('first\n  second third ')) == 'first second third'


def test_every_kind_of_line_break_goes():
  assert one_line(DataError('a\r\nb\x0bc\x0cd\x85e\u2028 f\rg')) == 'a b c d e f g'


def test_a_long_run_of_blanks_takes_no_time():
  text = 'a' + ' ' * 1_000_000 + 'b'  # a regular expression would take hours
  assert len(one_line(DataError(text))) < 3000


def test_only_a_current_folder_that_is_gone_is_named(monkeypatch, tmp_path):
  error = FileNotFoundError(errno.ENOENT, 'No such file')  # as of a socket
  assert describe_file_error(error) == 'a file: No such file'
  (tmp_path / 'gone').mkdir()
  monkeypatch.chdir(tmp_path / 'gone')
  (tmp_path / 'gone').rmdir()
  assert describe_file_error(error) == 'the current folder: No such file'


def test_a_name_keeps_its_spaces():
  assert one_line(DataError("no folder 'my  photos'\n")) == "no folder 'my  photos'"


def test_of_a_very_long_message_the_ends_are_shown():
  text = one_line(DataError('a' * 50 + 'x' * 10**6 + 'b' * 50))
  assert len(text) == 2007
  assert (text[:51], text[-51:]) == ('a' * 50 + 'x', 'x' + 'b' * 50)
  assert 'x [...] x' in text


def test_the_reason_of_an_error_is_short_and_never_empty():
  assert reason(KeyError('a\n b')) == r"'a\n b'"
  assert reason(ValueError('a\n b')) == 'a b'
  assert reason(MemoryError()) == 'MemoryError'
  assert reason(ValueError('x' * 11), longest=10) == 'x' * 10 + '...'


@pytest.mark.parametrize(
  ('error', 'text'),
  [
    (OSError(errno.ENOSPC, 'No space left', 'out.csv'), 'out.csv cannot be written: No space left'),
    (OSError(errno.EROFS, 'Read-only'), 'a file cannot be written: Read-only'),
    (FileNotFoundError(errno.ENOENT, 'No such file', 'a.png'), 'a.png: No such file'),
    (OSError('something\nelse.'), 'a file: something else'),
  ],
)
def test_an_error_of_the_system_names_the_file_and_what_cannot_be_done(error, text):
  assert describe_file_error(error) == text
