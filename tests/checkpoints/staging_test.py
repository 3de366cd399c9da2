import os
import pathlib
import signal
import subprocess
import sys

import pytest

from vgg_slim.checkpoints import staging
from vgg_slim.errors import ConfigError, FolderInUseError


def write(prefix, endings=('.data-00000-of-00001', '.index', '.json')):
  for ending in endings:
    pathlib.Path(f'{prefix}{ending}').write_text(ending)


def test_files_are_moved_with_the_index_last(tmp_path, monkeypatch):
  moved = []
  rename = pathlib.Path.rename
  monkeypatch.setattr(
    pathlib.Path, 'rename', lambda self, target: (moved.append(self.name), rename(self, target))
  )
  with staging.staged_checkpoint(str(tmp_path / 'deep' / 'm')) as prefix:
    write(prefix)
    assert not (tmp_path / 'deep' / 'm.index').exists()
  assert moved == ['m.data-00000-of-00001', 'm.json', 'm.index']
  assert sorted(os.listdir(tmp_path / 'deep')) == sorted(moved)


def test_an_error_leaves_nothing(tmp_path):
  with pytest.raises(RuntimeError), staging.staged_checkpoint(str(tmp_path / 'm')) as prefix:
    write(prefix)
    raise RuntimeError
  assert os.listdir(tmp_path) == []


def test_a_kill_leaves_nothing_that_looks_complete(tmp_path):
  program = (
    'import os, pathlib, signal, sys\n'
    'from vgg_slim.checkpoints import staging\n'
    'with staging.staged_checkpoint(sys.argv[1]) as prefix:\n'
    '  pathlib.Path(prefix + ".index").write_text("half")\n'
    '  os.kill(os.getpid(), signal.SIGKILL)\n'
  )
  environment = {**os.environ, 'PYTHONPATH': str(pathlib.Path(__file__).parents[2])}
  command = [sys.executable, '-c', program, str(tmp_path / 'm')]
  assert subprocess.run(command, env=environment, timeout=300).returncode == -signal.SIGKILL
  assert os.listdir(tmp_path) == ['.m.partial']
  staging.check_checkpoint_is_free(str(tmp_path / 'm'))
  with staging.staged_checkpoint(str(tmp_path / 'm')) as prefix:
    write(prefix, ['.data-00000-of-00001', '.index'])
  assert sorted(os.listdir(tmp_path)) == ['m.data-00000-of-00001', 'm.index']


@pytest.mark.parametrize('stage', [staging.staged_checkpoint, staging.staged_file])
def test_a_second_writer_is_told_which_process_is_writing(tmp_path, stage):
  target = str(tmp_path / 'm')
  with stage(target) as first:
    with (
      pytest.raises(FolderInUseError, match=f'^{target} is in use by process {os.getpid()} on'),
      stage(target),
    ):
      pass
    write(first, ['', '.index'])


@pytest.mark.parametrize('ending', ['', '.index', '.json'])
def test_existing_files_are_not_overwritten(tmp_path, ending):
  write(tmp_path / 'm', [ending])
  with pytest.raises(ConfigError, match=f'm{ending} exists; give another --output'):
    staging.check_checkpoint_is_free(str(tmp_path / 'm'))


def test_a_folder_is_refused_as_a_prefix():
  with pytest.raises(ConfigError, match='expected the prefix of a checkpoint'):
    staging.check_checkpoint_is_free('/')


def test_a_staged_file_appears_at_the_end(tmp_path):
  target = tmp_path / 'x.npz'
  with staging.staged_file(str(target)) as path:
    pathlib.Path(path).write_text('x')
    assert not target.exists()
  assert target.read_text() == 'x'
  with pytest.raises(ConfigError, match='x.npz exists'), staging.staged_file(str(target)) as path:
    pathlib.Path(path).write_text('y')
  assert os.listdir(tmp_path) == ['x.npz']


def test_a_staged_folder_appears_at_the_end_or_not_at_all(tmp_path):
  target = tmp_path / 'deep' / 'export'
  with staging.staged_folder(str(target)) as folder:
    (folder / 'model').write_text('x')
    assert not target.exists()
  assert (target / 'model').read_text() == 'x'
  assert os.listdir(target.parent) == ['export']
  with pytest.raises(ZeroDivisionError), staging.staged_folder(str(tmp_path / 'other')) as folder:
    (folder / 'model').write_text(str(1 / 0))
  with pytest.raises(ConfigError, match='export exists'), staging.staged_folder(str(target)):
    pass
  assert os.listdir(tmp_path) == ['deep']


def test_a_folder_that_cannot_be_created_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with (
    pytest.raises(ConfigError, match='cannot be written'),
    staging.staged_checkpoint(str(tmp_path / 'file' / 'm')),
  ):
    pass
