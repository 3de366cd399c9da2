import os
import subprocess
import sys
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
    ('folders', 'dead', 'dead is a link to .*/nowhere, which does not exist'),
    ('folders', 'dead/a/b', 'dead is a link to .*/nowhere, which does not exist'),
    ('folders', 'chain', 'chain is a link to .*/nowhere, which does not exist'),
    ('made', 'dead', 'dead is a link to .*/nowhere, which does not exist'),
    ('files', 'dead/x', 'dead is a link to .*/nowhere, which does not exist'),
    ('files', 'away', 'there is no folder .*/no/where'),
    ('folders', 'loop', 'loop is a link that leads back to itself'),
    ('files', 'loop', 'loop is a link that leads back to itself'),
  ],
)
def test_a_link_that_leads_nowhere_is_refused(folder, kind, path, problem):
  (folder / 'dead').symlink_to('nowhere')
  (folder / 'chain').symlink_to('dead')
  (folder / 'away').symlink_to('no/where/x')
  (folder / 'loop').symlink_to('pool')
  (folder / 'pool').symlink_to('loop')
  with pytest.raises(OutputError, match=f'^--flag={path}: {problem}'):
    output_files.check_outputs(**{kind: {'--flag': path}})


def test_a_link_to_a_new_file_is_followed(folder):
  (folder / 'link').symlink_to('sub/x')
  output_files.check_outputs(files={'--flag': 'link'})
  output_files.write_text('link', 'text')
  assert (folder / 'link').is_symlink()
  assert (folder / 'sub' / 'x').read_text() == 'text'


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_a_full_device_is_named():
  with pytest.raises(OSError, match='No space') as caught:
    output_files.write_text('/dev/full', 'x')
  assert caught.value.filename == '/dev/full'


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


@pytest.mark.parametrize(
  ('outputs', 'message'),
  [
    ({'files': {'--a': './old'}}, '--a=./old is an input: give other paths, so that no input is '),
    ({'files': {'--a': 'link'}}, '--a=link is an input: '),
    ({'folders': {'--b': 'sub/..'}}, '--b=sub/.. is the folder of the input old: '),
    ({'folders': {'--b': 'linked'}}, '--b=linked is the folder of the input old: '),
    (
      {'files': {'--a': 'old', '--b': 'new'}, 'folders': {'--c': 'sub', '--d': '.'}},
      '--a=old is an input; --d=. is the folder of the input old: ',
    ),
  ],
)
def test_an_output_that_would_replace_an_input_is_refused(folder, outputs, message):
  (folder / 'link').symlink_to('old')
  (folder / 'linked').symlink_to('.')
  with pytest.raises(OutputError) as caught:
    output_files.check_inputs_stay(['old'], **outputs)
  assert str(caught.value).startswith(message)


def test_a_folder_with_a_link_to_an_input_is_refused(folder):
  (folder / 'sub' / 'link').symlink_to('../old')
  for path in ('sub', '.'):
    with pytest.raises(OutputError, match='is the folder of the input sub/link'):
      output_files.check_inputs_stay(['sub/link'], folders={'--b': path})


def test_outputs_apart_from_the_inputs_pass():
  inputs = ['old', '/dev/null', 'no\0file']
  output_files.check_inputs_stay(
    inputs, {'--a': 'new', '--b': None, '--c': '/dev/null'}, {'--d': 'sub', '--e': None}
  )
  output_files.check_inputs_stay(inputs, {'--a': None})


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


# Prints, and writes to an output, which a user redirects.
PROGRAM = """
import sys
from vgg_slim import output_files

print('table')
with output_files.open_outputs({'--csv': sys.argv[1]}) as streams:
  streams['--csv'].write(b'row\\n')
print('end')
"""


@pytest.mark.parametrize(
  ('path', 'shell', 'written'),
  [
    ('/dev/stdout', '>> old', 'old\ntable\nrow\nend\n'),
    ('/dev/stdout', '> old', 'table\nrow\nend\n'),
    ('/dev/stdout', '| cat > old', 'table\nrow\nend\n'),
    ('link', '>> old', 'old\ntable\nrow\nend\n'),
    ('/dev/stderr', '2>> old', 'old\nrow\n'),
    ('/dev/fd/7', '7>> old', 'old\nrow\n'),
    ('/proc/self/fd/7', '7>> old', 'old\nrow\n'),
    ('/proc/$$/fd/8', '', 'old\nrow\n'),  # of the shell
    ('>(cat >> old; echo >> done)', '; cat done > /dev/null', 'old\nrow\n'),
  ],
)
def test_open_descriptors_are_written_directly(folder, path, shell, written):
  (folder / 'link').symlink_to('/dev/stdout')
  os.mkfifo(folder / 'done')
  old = folder / 'old'
  old.write_text('old\n')
  before = old.stat().st_ino
  command = f'exec 8>> old; "$0" -c "$1" {path} {shell}'
  subprocess.run(
    ['bash', '-c', command, sys.executable, PROGRAM],
    check=True,
    timeout=60,
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
  )
  assert old.read_text() == written
  assert old.stat().st_ino == before
  assert sorted(os.listdir(folder)) == ['done', 'link', 'old', 'sub']


def test_descriptors_that_cannot_be_written_are_refused(folder):
  with (folder / 'old').open() as stream:
    number = stream.fileno()
    with pytest.raises(OutputError, match=f'/dev/fd/{number}: is open for reading only'):
      output_files.check_outputs({'--a': f'/dev/fd/{number}'})
  with pytest.raises(OutputError, match='/dev/fd/987: is not open'):
    output_files.check_outputs({'--a': '/dev/fd/987'})
  with pytest.raises(OutputError, match='/fd/987: is not open'):
    output_files.check_outputs({'--a': f'/proc/{os.getppid()}/fd/987'})


def test_pipes_and_devices_may_have_no_suffix(folder):
  def check(path):
    return output_files.check_suffix('--output', path, ['.csv', '.json'], direct='.csv')

  os.mkfifo(folder / 'pipe')
  os.mkfifo(folder / 'pipe.json')
  assert [check(path) for path in ('/dev/stdout', '/dev/null', 'pipe')] == ['.csv'] * 3
  assert check('pipe.json') == '.json'
  with pytest.raises(OutputError, match='must end in'):
    check('old')
