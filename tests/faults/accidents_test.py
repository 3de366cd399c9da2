import os
import random
import signal
import time

import pytest

from tests.faults import accidents, subjects
from vgg_slim import files

NEW = 2000 * 'x'


class Writer(subjects.Subject):
  """A command that writes one file by the function that takes the place of its flags."""

  def start(self, inputs, folder, log, prepare=lambda: None):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 2)
    prepare()
    self.flags(inputs, folder)


def write(inputs, folder):
  files.write_text(folder / 'out', NEW)


def series(tmp_path, function, replaced=('out',)):
  subject = Writer('writer', function, ('out',), replaced)
  return accidents.Series(subject, 'writer', tmp_path, random.Random(0))


def fail_after(function):
  """Does nothing to the uninterrupted process, and then what `function` does."""

  def run(inputs, folder):
    if folder.name != 'whole':
      function(folder)
    write(inputs, folder)

  return run


def say_and_leave(text, code):
  def run(folder):
    os.write(2, text.encode())
    os._exit(code)

  return run


@pytest.mark.parametrize(
  ('function', 'message'),
  [
    (say_and_leave('x: error: no space.\n', 3), '^3: x: error'),
    (say_and_leave('', 1), '^1: '),
    (say_and_leave('x: error: a.\nx: error: b.\n', 1), '^1: '),
    (say_and_leave('Traceback\nx: error: a.\n', 1), '^Traceback'),
    (say_and_leave('x: error: a.\n', 0), '^0: '),
    (lambda folder: (folder / 'out').unlink() or os._exit(0), 'out is gone'),
    (lambda folder: (folder / 'out').write_text('half') and os._exit(0), 'life/out'),
  ],
)
def test_what_must_not_happen_is_an_error(tmp_path, function, message):
  with pytest.raises(AssertionError, match=message):
    series(tmp_path, fail_after(function)).run(accidents.Accident())


def test_a_documented_end_and_its_message_are_returned(tmp_path):
  told = say_and_leave('x: warning: old.\nx: error: no space.\n', 1)
  assert series(tmp_path, fail_after(told)).run(accidents.Accident()) == 'x: error: no space.'
  assert not (tmp_path / 'accidents of writer/life').exists()


def test_a_signal_ends_the_process_of_the_command(tmp_path):
  one = series(tmp_path, fail_after(lambda folder: time.sleep(60)))
  start = time.monotonic()
  assert one.run(accidents.Accident(signals=(signal.SIGTERM,))) == ''
  assert time.monotonic() - start < 60


def test_every_accident_is_a_row(tmp_path, monkeypatch):
  chosen = {'none': accidents.Accident(), 'other': accidents.Accident(is_allowed=False)}
  monkeypatch.setattr(accidents, 'ACCIDENTS', chosen)
  rows = accidents.run_all({'writer': series(tmp_path, write)}, 2)
  assert list(rows) == ['| none | 2 | 2 | 0 |  |', '| other | not permitted here | | | |']
