import os
import signal
import time

import pytest

from tests.faults import lives


def test_a_process_is_killed_when_its_moment_has_come():
  def wait_and_end():
    time.sleep(60)

  start = time.monotonic()
  assert lives.await_end(lives.fork(wait_and_end), lives.at_time(0.1)) == -signal.SIGKILL
  assert 0.1 <= time.monotonic() - start < 30
  assert lives.await_end(lives.fork(lambda: os._exit(3))) == 3


def test_a_process_that_hangs_is_an_error(monkeypatch):
  monkeypatch.setattr(lives, '_HANG_SECONDS', 0.1)
  with pytest.raises(AssertionError, match='did not end'):
    lives.await_end(lives.fork(lambda: time.sleep(60)))


def test_changes_of_files_in_a_folder_are_counted(tmp_path):
  log = tmp_path / 'log'

  def change():
    lives.on_changes(
      str(tmp_path / 'in'), lambda number: lives.os.write(descriptor, b'%d' % number)
    )
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/a').write_text('x')
    (tmp_path / 'in/a').read_text()
    (tmp_path / 'in/a').rename(tmp_path / 'in/b')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'in/b').unlink()

  assert lives.await_end(lives.fork(change)) == 0
  assert log.read_text() == '1234'


def test_what_is_left_of_a_group_is_ended():
  def start_another():
    os.fork() or time.sleep(60)

  process = lives.fork(start_another)
  lives.end_group(process)
  assert lives.await_end(process) in (-signal.SIGKILL, 0)
  lives.end_group(process)
