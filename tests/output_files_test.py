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
def test_errors_name_the_output_and_nothing_is_written(folder, kind, path, problem):
  with pytest.raises(OutputError, match=f'^--flag={path}: {problem}'):
    output_files.check_outputs(**{kind: {'--flag': path}})
  assert sorted(os.listdir(folder)) == ['old', 'sub']


def test_a_write_protected_file_is_refused(folder, monkeypatch):
  # The superuser may write anywhere, so permissions are simulated here.
  monkeypatch.setattr(os, 'access', lambda path, mode: str(path) != 'old')
  with pytest.raises(OutputError, match='--csv=old: is write-protected'):
    output_files.check_outputs(files={'--csv': 'old'})


def test_writable_outputs_pass_and_nothing_is_written(folder):
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


def test_all_files_appear_at_the_end_of_the_block(folder):
  with output_files.open_outputs({'--a': 'new', '--b': 'old', '--c': None}) as streams:
    assert set(streams) == {'--a', '--b'}
    for flag, stream in streams.items():
      stream.write(flag.encode())
    assert not (folder / 'new').exists()
    assert (folder / 'old').read_text() == 'old'
  assert (folder / 'new').read_text() == '--a'
  assert (folder / 'old').read_text() == '--b'
  assert sorted(os.listdir(folder)) == ['new', 'old', 'sub']


def test_no_file_is_written_after_an_error(folder):
  with (
    pytest.raises(RuntimeError),
    output_files.open_outputs({'--a': 'new', '--b': 'old'}) as streams,
  ):
    streams['--a'].write(b'half')
    raise RuntimeError
  assert (folder / 'old').read_text() == 'old'
  assert sorted(os.listdir(folder)) == ['old', 'sub']


def test_symbolic_links_and_pipes_are_kept(folder):
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


def test_check_suffix_ignores_case_and_refuses_others():
  assert output_files.check_suffix('--plot', 'a.PNG', output_files.DRAWINGS) == '.png'
  with pytest.raises(OutputError, match=r'--plot=png must end in .png or .pdf or .svg\.'):
    output_files.check_suffix('--plot', 'png', output_files.DRAWINGS)
