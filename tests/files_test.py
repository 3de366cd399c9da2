import os
import pathlib
import subprocess
import sys
import threading

import pytest

from vgg_slim import files


def test_write_text_replaces_a_file_and_leaves_no_others(tmp_path):
  path = tmp_path / 'file'
  files.write_text(path, 'one')
  files.write_text(path, 'zwei: ü')
  assert path.read_text(encoding='utf-8') == 'zwei: ü'
  assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_unchanged_after_an_error(tmp_path):
  path = tmp_path / 'file'
  path.write_text('old')
  with pytest.raises(RuntimeError), files.open_atomic(path) as stream:
    stream.write(b'new')
    raise RuntimeError
  assert path.read_text() == 'old'
  assert list(tmp_path.iterdir()) == [path]


def test_a_path_is_inside_a_folder_also_by_links(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'photos').mkdir()
  (tmp_path / 'link').symlink_to('photos')
  for path in ('photos', 'photos/', 'photos/new', 'link/a/b', tmp_path / 'photos' / 'a'):
    assert files.is_inside(path, 'photos') and files.is_inside(path, 'link')
  for path in ('photos_2', '.', 'photos/../other', 'link/../other'):
    assert not files.is_inside(path, 'photos') and not files.is_inside(path, 'link')


def test_temporary_files_of_a_killed_writer_are_removed(tmp_path):
  (tmp_path / 'file').touch()
  # The file of the writer is gone, which also happens to a Beam worker that Beam gave up on.
  with pytest.raises(FileNotFoundError), files.open_atomic(tmp_path / 'file'):
    assert len(list(tmp_path.iterdir())) == 2
    files.remove_temporaries(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('size', [10, 1_000_000])
def test_a_full_disk_names_the_file_and_not_its_temporary(tmp_path, size):
  # The limit is that of a process of its own.
  program = (
    'import pathlib, resource, sys\n'
    'from vgg_slim import files\n'
    'resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))\n'
    'try:\n'
    '  with files.open_atomic(pathlib.Path("file")) as stream:\n'
    '    stream.write(bytes(int(sys.argv[1])))\n'
    'except OSError as error:\n'
    '  print(error.filename)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', program, str(size)],
    cwd=tmp_path,
    env={**os.environ, 'PYTHONPATH': str(pathlib.Path(__file__).parents[1])},
    capture_output=True,
    text=True,
    timeout=60,
  )
  assert done.stdout == 'file\n'
  assert not list(tmp_path.iterdir())


def test_an_error_of_another_file_keeps_its_name(tmp_path):
  with pytest.raises(OSError) as caught, files.open_atomic(tmp_path / 'file'):
    raise OSError(28, 'No space left on device')
  assert caught.value.filename is None
  with pytest.raises(FileNotFoundError) as caught, files.open_atomic(tmp_path / 'no/file'):
    pass
  assert caught.value.filename == str(tmp_path / 'no/file')


def test_a_new_writer_removes_what_killed_writers_of_the_same_file_left(tmp_path):
  left = tmp_path / f'.file.{32 * "a"}.tmp'
  others = [tmp_path / f'.file.{32 * "g"}.tmp', tmp_path / f'.file.csv.{32 * "a"}.tmp']
  for path in (left, *others):
    path.touch()
  with files.open_atomic(tmp_path / 'file') as running, files.open_atomic(tmp_path / 'file') as one:
    one.write(b'one')
    running.write(b'running')
    assert not left.exists()
  assert (tmp_path / 'file').read_text() == 'running'
  assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / 'file'])


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
  removed = []

  def lock_late(stream, how):
    if not removed:
      removed.extend(tmp_path.iterdir())
      removed[0].unlink()

  monkeypatch.setattr(files.fcntl, 'flock', lock_late)
  files.write_text(tmp_path / 'file', 'x')
  assert len(removed) == 1
  assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_folder_appears_when_it_is_complete(tmp_path):
  out = tmp_path / 'new' / 'out'
  with files.resumable_folder(out, 'key') as staging:
    (staging / 'x').write_text('1')
    assert not out.exists()
  assert (out / 'x').read_text() == '1'
  assert [path.name for path in out.parent.iterdir()] == ['out']


@pytest.mark.parametrize(('mistakes', 'left'), [((RuntimeError,), []), ((), ['.out.key.partial'])])
def test_a_partial_folder_stays_after_errors_other_than_mistakes(tmp_path, mistakes, left):
  with (
    pytest.raises(RuntimeError),
    files.resumable_folder(tmp_path / 'out', 'key', mistakes) as staging,
  ):
    (staging / 'x').write_text('1')
    raise RuntimeError
  assert [path.name for path in tmp_path.iterdir()] == left


def test_an_empty_partial_folder_is_removed(tmp_path):
  with pytest.raises(RuntimeError), files.resumable_folder(tmp_path / 'out', 'key'):
    raise RuntimeError
  assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_refused(tmp_path):
  with pytest.raises(FileExistsError), files.resumable_folder(tmp_path, 'key'):
    pass


def leave_behind(path, key):
  with pytest.raises(KeyboardInterrupt), files.resumable_folder(path, key) as staging:
    (staging / 'x').write_text(key)
    raise KeyboardInterrupt


def test_a_link_that_leads_nowhere_is_not_replaced_by_a_folder(tmp_path):
  (tmp_path / 'a').symlink_to('gone')
  with pytest.raises(FileExistsError), files.resumable_folder(tmp_path / 'a', 'key'):
    pass
  assert os.listdir(tmp_path) == ['a']


def test_the_same_key_continues_after_an_interrupt(tmp_path):
  leave_behind(tmp_path / 'out', 'one')
  assert not (tmp_path / 'out').exists()
  with files.resumable_folder(tmp_path / 'out', 'one') as staging:
    assert (staging / 'x').read_text() == 'one'


def test_partial_folders_of_other_keys_are_removed(tmp_path):
  leave_behind(tmp_path / 'out', 'one')
  leave_behind(tmp_path / 'other', 'one')
  with files.resumable_folder(tmp_path / 'out', 'two') as staging:
    assert not list(staging.iterdir())
  assert sorted(path.name for path in tmp_path.iterdir()) == ['.other.one.partial', 'out']


def test_a_second_process_waits_until_the_folder_is_made(tmp_path):
  outcome = []

  def second():
    try:
      with files.resumable_folder(tmp_path / 'out', 'key'):
        outcome.append('made twice')
    except FileExistsError:
      outcome.append('exists')

  with files.resumable_folder(tmp_path / 'out', 'key'):
    thread = threading.Thread(target=second)
    thread.start()
    thread.join(timeout=0.2)
    assert thread.is_alive()
  thread.join(timeout=10)
  assert outcome == ['exists']


@pytest.mark.parametrize('name', ['', '.', '..', 'a/b', '/a', 'a\0', 'é' * 128, '\ud800'])
def test_what_cannot_be_a_file_of_a_folder_is_no_name(name):
  assert not files.is_name(name)


@pytest.mark.parametrize('name', ['a', '...', 'a b.tfrecord', 'é' * 127, '\udcff', '\\'])
def test_other_texts_are_names(name):
  assert files.is_name(name)
