import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from vgg_slim.checkpoints import staging
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError, DataError, FolderInUseError, OutputError


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


def leave_half_moved(folder, monkeypatch, moved=3):
  """Leaves what a process leaves that is killed before it moves the file after the `moved`th."""
  calls, rename = [], pathlib.Path.rename

  def rename_or_die(self, target):
    calls.append(self)
    if len(calls) > moved:
      raise BlockingIOError('killed')
    return rename(self, target)

  with monkeypatch.context() as patch:
    patch.setattr(shutil, 'rmtree', lambda *arguments, **options: None)
    patch.setattr(pathlib.Path, 'rmdir', lambda self: None)
    patch.setattr(pathlib.Path, 'rename', rename_or_die)
    with pytest.raises(BlockingIOError), staging.staged_checkpoint(str(folder / 'm')) as prefix:
      write(prefix)
      pathlib.Path(f'{prefix}_history').mkdir()
      pathlib.Path(f'{prefix}_history', 'metrics.csv').write_text('of the killed process')


def test_what_a_killed_process_had_moved_before_the_index_is_removed(tmp_path, monkeypatch):
  leave_half_moved(tmp_path, monkeypatch)
  target, history = str(tmp_path / 'm'), tmp_path / 'm_history'
  assert {'.m.partial', 'm.json', 'm_history'} < set(os.listdir(tmp_path))
  assert not (tmp_path / 'm.index').exists()
  staging.check_checkpoint_is_free(target, beside=[history])
  with staging.staged_checkpoint(target) as prefix:
    assert os.listdir(tmp_path) == ['.m.partial']
    write(prefix, ['.data-00000-of-00001', '.index'])
  assert sorted(os.listdir(tmp_path)) == ['m.data-00000-of-00001', 'm.index']


def test_what_is_removed_after_a_kill_is_removed_before_the_list_of_it(tmp_path, monkeypatch):
  leave_half_moved(tmp_path, monkeypatch)

  def die(path, **options):
    assert path == tmp_path / 'm_history'
    raise BlockingIOError('killed')

  with monkeypatch.context() as patch:
    patch.setattr(shutil, 'rmtree', die)
    with pytest.raises(BlockingIOError), staging.staged_checkpoint(str(tmp_path / 'm')):
      pass
  assert (tmp_path / 'm_history').exists()
  with staging.staged_checkpoint(str(tmp_path / 'm')) as prefix:
    write(prefix)
  assert sorted(os.listdir(tmp_path)) == ['m.data-00000-of-00001', 'm.index', 'm.json']


def test_files_of_others_are_neither_removed_nor_ignored(tmp_path, monkeypatch):
  leave_half_moved(tmp_path, monkeypatch, moved=0)
  journal = tmp_path / '.m.partial/scratch/moved.json'
  (tmp_path / 'mine.json').write_text('mine')
  (tmp_path / 'other.json').write_text('mine')
  for names in (['other.json', '../other.json', 7], 'other.json', 7):
    journal.write_text(json.dumps({'names': names}))
    staging.check_checkpoint_is_free(str(tmp_path / 'm'))
  journal.write_text('{"names": ["other.json"]}')
  with staging.staged_checkpoint(str(tmp_path / 'm')) as prefix:
    write(prefix)
  assert (tmp_path / 'mine.json').exists()
  assert (tmp_path / 'other.json').exists()


def test_the_rest_of_a_process_that_was_killed_at_its_end_is_removed(tmp_path, monkeypatch):
  leave_half_moved(tmp_path, monkeypatch)
  for path in (tmp_path / '.m.partial/scratch').iterdir():
    if path.name != 'moved.json':
      path.rename(tmp_path / path.name)
  before = set(os.listdir(tmp_path))
  with pytest.raises(ConfigError, match='m.index, .*m.json exists'):
    staging.check_checkpoint_is_free(str(tmp_path / 'm'))
  assert before - set(os.listdir(tmp_path)) == {'.m.partial'}


FULL = 'No space left on device'


@pytest.mark.parametrize(
  ('error', 'message'),
  [
    (lambda path: OSError(28, FULL, f'{path}.npz'), "No space left on device: '{m}.npz'"),
    (lambda path: OSError(28, FULL), r'\[Errno 28\] No space left on device$'),
    (lambda path: DataError(f'{path}/best is damaged.'), '^{m}/best is damaged.$'),
    (lambda path: DataError('photos are missing.'), '^photos are missing.$'),
    (lambda path: ZeroDivisionError(f'{path}; x'), '^{m} cannot be written: x.$'),
    (lambda path: ZeroDivisionError('x'), '^x$'),
    (
      lambda path: tf.errors.ResourceExhaustedError(
        None,
        None,
        f'Graph execution error:\n\n{path}.data-00000-of-00001.tempstate17; {FULL}\n\t [[',
      ),
      '^{m}.data-00000-of-00001 cannot be written: No space left on device.$',
    ),
  ],
)
def test_errors_name_the_paths_that_files_would_have(tmp_path, error, message):
  target = str(tmp_path / 'm')
  expected = message.replace('{m}', re.escape(target))
  with pytest.raises(Exception, match=expected), staging.staged_checkpoint(target) as prefix:
    raise error(prefix)
  assert os.listdir(tmp_path) == []


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


def test_a_symbolic_link_that_leads_nowhere_is_not_replaced(tmp_path):
  (tmp_path / 'm.index').symlink_to('nowhere')
  with pytest.raises(ConfigError, match='m.index exists; give another --output'):
    staging.check_checkpoint_is_free(str(tmp_path / 'm'))
  with pytest.raises(ConfigError, match='m.index exists; give another --output'):
    staging.check_is_free(tmp_path / 'm.index')


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


def test_a_prefix_that_tensorflow_would_not_find_is_refused(tmp_path):
  with pytest.raises(OutputError, match=r'x \[3\]/m: TensorFlow takes \[3\] for a pattern'):
    staging.check_checkpoint_is_free(str(tmp_path / 'x [3]' / 'm'))
