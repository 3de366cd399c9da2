import os
import pathlib
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
import sys
from vgg_slim.commands import invocation
def main():
  {body}
main.__module__ = '__main__'
invocation.run(main, ['x', *sys.argv[1:]])
"""
PRINT_LITTLE = "print('done')"
PRINT_MUCH = "print('x' * 100_000); print('y' * 100_000)"
FAIL = "print('start'); from vgg_slim.errors import DataError; raise DataError('no data.')"
OPEN = (
  "stream = open('file', 'w'); stream.write('content'); stream.close(); "
  "print('to stdout'); print('to stderr', file=sys.stderr)"
)


def run(folder, body, redirection, *arguments, **environment):
  script = folder / 'script.py'
  script.write_text(PROGRAM.format(body=body))
  line = f'exec "$0" "$@" {redirection}'
  return subprocess.run(
    ['bash', '-c', line, sys.executable, str(script), *arguments],
    cwd=folder,
    env={**os.environ, 'PYTHONPATH': str(ROOT), **environment},
    capture_output=True,
    text=True,
    timeout=300,
  )


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
@pytest.mark.parametrize(
  ('body', 'code', 'message'),
  [
    (PRINT_LITTLE, 1, 'standard output cannot be written: No space left on device.'),
    (PRINT_MUCH, 1, 'standard output cannot be written: No space left on device.'),
    (FAIL, 1, 'no data.'),
  ],
)
def test_a_full_output_is_one_line(tmp_path, body, code, message):
  done = run(tmp_path, body, '>/dev/full', PYTHONUNBUFFERED='')
  assert (done.returncode, done.stderr) == (code, f'script: error: {message}\n')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_a_full_output_is_named_if_python_does_not_buffer_it(tmp_path):
  done = run(tmp_path, PRINT_LITTLE, '>/dev/full', PYTHONUNBUFFERED='1')
  assert done.returncode == 1
  assert done.stderr.startswith('script: error: standard output cannot be written: ')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_help_on_a_full_disk_is_one_line(tmp_path):
  done = run(tmp_path, PRINT_LITTLE, '>/dev/full', '--help')
  assert done.returncode == 1
  assert done.stderr.startswith('script: error: standard output cannot be written: ')
  assert done.stderr.count('\n') == 1


@pytest.mark.parametrize('body', [PRINT_LITTLE, PRINT_MUCH, FAIL])
def test_a_reader_that_leaves_ends_the_command(tmp_path, body):
  done = run(tmp_path, body, '> >(exec true)')
  assert 'Traceback' not in done.stderr
  assert 'cannot be written' not in done.stderr
  assert done.returncode in (0, 1, 128 + signal.SIGPIPE)  # by whoever is faster


@pytest.mark.parametrize('redirection', ['>&-', '2>&-', '<&- >&- 2>&-'])
def test_streams_that_are_closed_get_nothing_and_no_file_gets_what_is_theirs(tmp_path, redirection):
  done = run(tmp_path, OPEN, redirection)
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'file').read_text() == 'content'
  if redirection == '>&-':
    assert done.stderr == 'to stderr\n'


def test_descriptors_of_closed_streams_are_taken(tmp_path):
  body = "import os; print(os.open('file', os.O_WRONLY | os.O_CREAT) > 2, file=open('answer', 'w'))"
  assert run(tmp_path, body, '<&- >&- 2>&-').returncode == 0
  assert (tmp_path / 'answer').read_text() == 'True\n'


def test_standard_input_that_is_closed_is_empty(tmp_path):
  assert run(tmp_path, 'print(sys.stdin.buffer.read())', '<&-').stdout == "b''\n"


def test_a_current_folder_that_is_gone_is_named(tmp_path):
  gone = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"
  done = run(tmp_path, f'{gone}; os.getcwd()', '')
  assert (done.returncode, done.stdout) == (1, '')
  assert done.stderr == 'script: error: the current folder: No such file or directory.\n'
  hint = "from vgg_slim.errors import DataError; raise DataError('Run tools/doctor.')"
  done = run(tmp_path, f'{gone}; {hint}', '')
  assert (done.returncode, done.stdout) == (1, '')
  assert done.stderr == f'script: error: Run {ROOT}/tools/doctor.\n'


@pytest.mark.parametrize('locale', ['C', 'C.UTF-8'])
def test_any_name_is_printed_in_any_locale(tmp_path, locale):
  plain = {'LC_ALL': locale, 'PYTHONCOERCECLOCALE': '0', 'PYTHONUTF8': '0'}
  done = run(tmp_path, "print('caf\\xe9 \\udce9')", '', **plain)
  assert (done.returncode, done.stderr) == (0, '')
  assert done.stdout == {'C': 'caf\\xe9 \\udce9\n', 'C.UTF-8': 'café \\udce9\n'}[locale]
