import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from tests.testing import started
from vgg_slim import locks
from vgg_slim.errors import FolderInUseError, OutputError

ROOT = pathlib.Path(__file__).parents[1]
HOLDER = """
import sys
from vgg_slim import locks
with locks.hold(sys.argv[1]):
  print('held', flush=True)
  sys.stdin.read()
"""


def holder(folder):
  command = [sys.executable, '-c', HOLDER, str(folder)]
  return started(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_second_process_is_told_which_one_holds_the_folder(tmp_path):
  with holder(tmp_path) as first:
    assert first.stdout.readline() == 'held\n'
    with pytest.raises(FolderInUseError) as refused, locks.hold(tmp_path):
      pass
    assert re.match(
      rf'{re.escape(str(tmp_path))} is in use by process {first.pid} on \S+ since '
      r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+\. Wait until it has ended, or give another name\.$',
      str(refused.value),
    )
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=60)
  with locks.hold(tmp_path) as folder:  # the kernel has released the lock
    assert str(os.getpid()) in (folder / locks.LOCK_FILE).read_text()
  assert not list(tmp_path.iterdir())


def test_an_error_names_a_folder_that_cannot_be_created(tmp_path):
  (tmp_path / 'file').touch()
  with (
    pytest.raises(OutputError, match='file/run cannot be written: Not a directory'),
    locks.hold(tmp_path / 'file' / 'run'),
  ):
    pass


def test_a_link_that_leads_nowhere_is_named(tmp_path):
  (tmp_path / 'run').symlink_to('moved')
  with (
    pytest.raises(OutputError, match='run is a link to .*/moved, which does not exist'),
    locks.hold(tmp_path / 'run'),
  ):
    pass


def test_a_scratch_folder_is_empty_even_after_a_kill(tmp_path):
  held = tmp_path / 'held'
  (held / 'scratch').mkdir(parents=True)
  (held / 'scratch' / 'left').touch()
  (held / locks.LOCK_FILE).touch()
  with locks.scratch_folder(held) as scratch:
    assert not list(scratch.iterdir())
    (scratch / 'file').touch()
    with pytest.raises(FolderInUseError), locks.scratch_folder(held):
      pass
    assert (scratch / 'file').exists()
  assert not list(tmp_path.iterdir())


def test_created_folders_that_stay_empty_are_removed(tmp_path):
  with pytest.raises(RuntimeError), locks.hold(tmp_path / 'runs' / 'one'):
    raise RuntimeError
  assert not list(tmp_path.iterdir())


def test_existing_folders_and_written_files_stay(tmp_path):
  (tmp_path / 'empty').mkdir()
  with locks.hold(tmp_path / 'empty'):
    pass
  with locks.hold(tmp_path / 'runs' / 'one') as folder:
    (folder / 'file').touch()
  assert sorted(path.name for path in tmp_path.iterdir()) == ['empty', 'runs']
  assert [path.name for path in (tmp_path / 'runs' / 'one').iterdir()] == ['file']


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)

  def fail(*arguments):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(locks.os, 'pwrite', fail)
  with pytest.raises(OutputError, match='run cannot be written: No space'), locks.hold('run'):
    pass
  assert not list(tmp_path.iterdir())
