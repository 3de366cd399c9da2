import os
import threading

import pytest

from vgg_slim import output_files
from vgg_slim.errors import OutputError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
  """The current folder, with a file `old` and a folder `sub`."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'old').write_text('old')
  (tmp_path / 'sub').mkdir()
  return tmp_path


@pytest.mark.parametrize(
  ('kind', 'path', 'problem'),
  [
    ('files', 'nowhere/x', 'there is no folder nowhere'),
    ('files', 'old/x', 'there is no folder old'),
    ('files', 'sub', 'is a folder; expected a file'),
    ('files', 'new/', 'is a folder; expected a file'),
    ('files', '/proc/x', '/proc cannot be written to'),
    ('folders', 'old', 'old is not a folder'),
    ('folders', 'old/a/b', 'old is not a folder'),
    ('folders', '/proc/a/b', '/proc cannot be written to'),
    ('made', 'old/a', 'old is not a folder'),
    ('made', '/proc/a/b', '/proc cannot be written to'),
  ],
)
def test_what_cannot_be_written_is_named_and_nothing_is_left(folder, kind, path, problem):
  with pytest.raises(OutputError, match=f'^--flag={path}: {problem}'):
    output_files.check_outputs(**{kind: {'--flag': path}})
  assert sorted(os.listdir(folder)) == ['old', 'sub']


def test_a_protected_file_and_folder(folder, monkeypatch):
  # Root may write everywhere, so that permissions are told here.
  monkeypatch.setattr(os, 'access', lambda path, mode: str(path) != 'old')
  with pytest.raises(OutputError, match='--csv=old: is write-protected'):
    output_files.check_outputs(files={'--csv': 'old'})


def test_what_can_be_written_passes_without_a_trace(folder):
  output_files.check_outputs(
    {'--a': 'new', '--b': 'old', '--c': 'sub/x', '--d': None, '--e': ''},
    {'--f': 'sub', '--g': 'deep/er', '--h': '.'},
    {'--i': 'weights/net', '--j': 'net'},
  )
  assert sorted(os.listdir(folder)) == ['old', 'sub']


def test_every_problem_is_listed_at_once():
  with pytest.raises(OutputError) as caught:
    output_files.check_outputs({'--a': 'x', '--b': './x', '--c': 'no/y'}, {'--d': 'old'})
  text = str(caught.value)
  assert '--c=no/y: there is no folder no; --d=old: old is not a folder; --a and --b name' in text


def test_files_appear_together_at_the_end(folder):
  with output_files.open_outputs({'--a': 'new', '--b': 'old', '--c': None}) as streams:
    assert set(streams) == {'--a', '--b'}
    for flag, stream in streams.items():
      stream.write(flag.encode())
    assert not (folder / 'new').exists()
    assert (folder / 'old').read_text() == 'old'
  assert (folder / 'new').read_text() == '--a'
  assert (folder / 'old').read_text() == '--b'
  assert sorted(os.listdir(folder)) == ['new', 'old', 'sub']


def test_after_an_error_there_is_none_of_them(folder):
  with (
    pytest.raises(RuntimeError),
    output_files.open_outputs({'--a': 'new', '--b': 'old'}) as streams,
  ):
    streams['--a'].write(b'half')
    raise RuntimeError
  assert (folder / 'old').read_text() == 'old'
  assert sorted(os.listdir(folder)) == ['old', 'sub']


def test_a_link_stays_one_and_a_pipe_is_written_into(folder):
  (folder / 'link').symlink_to('old')
  os.mkfifo(folder / 'pipe')
  got = []
  reader = threading.Thread(target=lambda: got.append((folder / 'pipe').read_bytes()), daemon=True)
  reader.start()
  with output_files.open_outputs({'--a': 'link', '--b': 'pipe'}) as streams:
    for stream in streams.values():
      stream.write(b'text')
  reader.join(timeout=10)
  assert got == [b'text']
  assert (folder / 'link').is_symlink()
  assert (folder / 'old').read_text() == 'text'


def test_a_device_may_be_named_twice():
  with output_files.open_outputs({'--a': '/dev/null', '--b': '/dev/null'}) as streams:
    assert len(streams) == 2
  assert not os.path.isfile('/dev/null')


def test_suffixes():
  assert output_files.check_suffix('--plot', 'a.PNG', output_files.DRAWINGS) == '.png'
  with pytest.raises(OutputError, match=r'--plot=png must end in .png or .pdf or .svg\.'):
    output_files.check_suffix('--plot', 'png', output_files.DRAWINGS)
