import errno
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import ignore_signals, run_tool, started
from vgg_slim.commands import installation, invocation, train
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError, DataError, OutputError

_SIDE = flags.DEFINE_integer('invocation_test_side', 7, 'A side in pixels.')
_RATE = flags.DEFINE_float('invocation_test_rate', None, 'A rate.')
_KIND = flags.DEFINE_enum('invocation_test_kind', 'a', ['a', 'b'], 'A kind.')
_ONE = flags.DEFINE_string('invocation_test_one', None, 'Not given.')
_TWO = flags.DEFINE_string('invocation_test_two', None, 'Not given.')

THIS = sys.modules[__name__]
seen: list[object] = []


def main():
  """Stands in for a tool's main."""
  seen.append(_SIDE.value)
  if _SIDE.value == 13:
    raise DataError('photos/x.jpg is\nbroken.')
  if _SIDE.value == 14:
    raise KeyboardInterrupt
  if _SIDE.value == 15:
    raise OutputError('--output=x: there is no folder y.')
  if _SIDE.value == 16:
    raise OSError(errno.ENOSPC, 'No space left on device', 'out.json')
  if _SIDE.value == 17:
    raise ConfigError('momentum must be in [0, 1).')
  if _SIDE.value == 18:
    raise MemoryError
  if _SIDE.value == 19:
    'caf\udce9.jpg'.encode()
  if _SIDE.value == 21:
    raise DataError('the label \x1b[2J is unknown.')
  if _SIDE.value == 20:
    raise tf.errors.DataLossError(
      None, None, "Graph execution error:\n\nNode: 'x'\ntorn\n\t [[{{node"
    )


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--invocation_test_side=13'], 1, 'invocation_test: error: photos/x.jpg is broken.\n'),
    (['--invocation_test_side=15'], 2, 'invocation_test: error: --output=x: there is no folder'),
    (['--invocation_test_side=17'], 2, 'invocation_test: error: momentum must be in [0, 1).\n'),
    (
      ['--invocation_test_side=16'],
      1,
      'error: out.json cannot be written: No space left on device.\n',
    ),
    (['--invocation_test_side=18'], 1, 'error: out of memory. Try smaller batches'),
    (['--invocation_test_side=19'], 1, 'error: not UTF-8: caf\\udce9.jpg.'),
    (['--invocation_test_side=20'], 1, 'error: TensorFlow: torn. --verbose shows where.'),
    (['--invocation_test_side=21'], 1, 'error: the label \\x1b[2J is unknown.'),
    (['--invocation_test_side=14'], 130, 'invocation_test: error: interrupted.\n'),
    (['--invocation_test_side=x'], 2, 'flag --invocation_test_side=x'),
    (
      ['--invocation_test_side=2147483648'],
      2,
      'side must be an integer of at most 32 bits, got 21',
    ),
    (
      ['--invocation_test_rate=nan'],
      2,
      'rate must be a finite number in the range of float32, got',
    ),
    (['--invocation_test_rate=1e-320'], 2, 'rate must be a finite number in the range of float32'),
    (['--invocation_test_kind=c'], 2, 'value should be one of <a|b>'),
    (['--invocation_test_sied=1'], 2, 'did you mean --invocation_test_side?'),
    (['stray'], 2, "unexpected arguments ['stray']; flags are written --name=value."),
  ],
)
def test_a_user_error_is_one_line_and_an_exit_code(capsys, arguments, code, message):
  assert run_tool(THIS, *arguments) == code
  error = capsys.readouterr().err
  assert message in error
  assert error.count('\n') == 1


def test_success_is_exit_code_0_and_flags_are_parsed(capsys):
  assert run_tool(THIS, '--invocation_test_side=5') == 0
  assert seen[-1] == 5
  assert capsys.readouterr().err == ''


def test_positional_arguments_reach_a_main_that_takes_them():
  got = []

  def main(arguments):
    got.append((arguments, _SIDE.value))

  main.__module__ = THIS.__name__
  with flagsaver.flagsaver(), pytest.raises(SystemExit, match='0'):
    invocation.run(main, ['x', 'a.jpg', '--invocation_test_side=5', '-', 'b.jpg'])
  assert got == [(['a.jpg', '-', 'b.jpg'], 5)]


def test_help_warnings_and_errors_name_the_commands_that_exist_here(capsys, monkeypatch):
  monkeypatch.setattr(installation, '_is_installed', lambda: True)
  monkeypatch.setattr(installation, '_script_beside', lambda name: pathlib.Path(__file__))
  monkeypatch.setattr(installation, 'script', lambda name: f'bin/{name}')
  assert run_tool(train, '--help') == 0
  assert '\n  vgg-slim-train --model=vgg16\n' in capsys.readouterr().out

  def warn_and_fail():
    logging.getLogger('vgg_slim').warning('Run tools/doctor.')
    raise DataError('Run tools/convert_to_tfrecord.')

  assert run_tool(types.SimpleNamespace(main=warn_and_fail, __name__='train')) == 1
  assert capsys.readouterr().err == (
    'invocation_test: warning: Run bin/vgg-slim-doctor.\n'
    'invocation_test: error: Run bin/vgg-slim-convert-to-tfrecord.\n'
  )


def json_lines(text):
  return [json.loads(line) for line in text.splitlines()]


def test_a_program_gets_only_json_on_standard_output(capsys):
  def say():
    print('a', 'table', end='\n\n')

  command = types.SimpleNamespace(main=say, __name__='train')
  assert run_tool(command, '--progress=json') == 0
  assert json_lines(capsys.readouterr().out) == [
    {'event': 'message', 'text': 'a table'},
    {'event': 'end', 'exit_code': 0},
  ]
  assert run_tool(command) == 0
  assert capsys.readouterr().out == 'a table\n\n'


def test_a_program_is_told_how_a_command_failed(capsys):
  assert run_tool(THIS, '--progress=json', '--invocation_test_side=17') == 2
  captured = capsys.readouterr()
  assert json_lines(captured.out) == [
    {'event': 'error', 'text': 'momentum must be in [0, 1).'},
    {'event': 'end', 'exit_code': 2},
  ]
  assert captured.err == ''


def test_a_program_is_told_of_warnings_and_people_see_them_on_stderr(capsys):
  def warn():
    logging.getLogger('vgg_slim').warning('%s \x1b[2J', 'Run tools/train.')

  command = types.SimpleNamespace(main=warn, __name__='train')
  assert run_tool(command, '--progress=json') == 0
  captured = capsys.readouterr()
  warning, _ = json_lines(captured.out)
  assert warning == {'event': 'warning', 'text': 'Run tools/train. \\x1b[2J'}
  assert captured.err == ''
  assert run_tool(command) == 0
  captured = capsys.readouterr()
  assert (captured.out, captured.err) == (
    '',
    'invocation_test: warning: Run tools/train. \\x1b[2J\n',
  )


def test_a_bug_ends_json_too(capsys):
  def fail():
    raise RuntimeError

  with pytest.raises(RuntimeError):
    run_tool(types.SimpleNamespace(main=fail, __name__='train'), '--progress=json')
  assert json_lines(capsys.readouterr().out) == [{'event': 'end', 'exit_code': 1}]


def test_quiet_and_json_exclude_each_other(capsys):
  assert run_tool(THIS, '--progress=json', '--quiet') == 2
  assert 'give either --quiet or --progress=json.' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('arguments', 'text'),
  [
    (['--bogus', '--progress=json'], '--bogus: there is no such flag'),
    (['--progress=json', '--invocation_test_side=x'], 'flag --invocation_test_side=x'),
    (['--invocation_test_side=x', '--progress', 'json'], 'flag --invocation_test_side=x'),
    (['--bogus', '-progress=plain', '--progress=json'], '--bogus: there is no such flag'),
    (['--flagfile=json_flags', '--bogus'], '--bogus: there is no such flag'),
    (['--progress=json', '--invocation_test_rate=nan'], 'rate must be a finite number'),
    (['--progress=json', 'false'], "unexpected arguments ['false']"),
    (['--progress=json', '--quiet'], 'give either --quiet or --progress=json.'),
  ],
)
def test_a_program_is_told_of_wrong_flags(tmp_path, monkeypatch, capsys, arguments, text):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'json_flags').write_text('--progress=json')
  assert run_tool(THIS, *arguments) == 2
  captured = capsys.readouterr()
  error, end = json_lines(captured.out)
  assert error['event'] == 'error'
  assert text in error['text']
  assert end == {'event': 'end', 'exit_code': 2}
  assert captured.err == ''


@pytest.mark.parametrize(
  'arguments',
  [['--bogus'], ['--progress=xml'], ['--progress=json', '--bogus', '--progress=plain']],
)
def test_people_are_told_of_wrong_flags_on_stderr_only(capsys, arguments):
  assert run_tool(THIS, *arguments) == 2
  captured = capsys.readouterr()
  assert captured.out == ''
  assert 'error: ' in captured.err


def test_an_unknown_flag_with_a_long_name_is_one_line(capsys):
  assert run_tool(THIS, f'--{"x" * 5000}') == 2
  assert capsys.readouterr().err == (
    'invocation_test: error: unknown flag with a name of hundreds of characters. See --help.\n'
  )


def test_errors_fit_the_terminal(capsys, monkeypatch):
  monkeypatch.setenv('COLUMNS', '40')
  monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
  assert run_tool(THIS, '--invocation_test_side=15') == 2
  assert capsys.readouterr().err == (
    'invocation_test: error: --output=x:\n  there is no folder y.\n'
  )


def test_verbose_shows_the_traceback_of_an_error(capsys):
  assert run_tool(THIS, '--verbose', '--invocation_test_side=13') == 1
  error = capsys.readouterr().err
  assert 'in main' in error
  assert error.endswith('invocation_test: error: photos/x.jpg is broken.\n')


def test_warnings_of_the_library_are_printed_as_lines(capsys):
  def warn():
    logging.getLogger('vgg_slim.weights').warning('%s is damaged.', 'model.ckpt-3')

  for _ in range(2):
    warned = types.SimpleNamespace(main=warn, __name__='train')
    assert run_tool(warned) == 0
    assert capsys.readouterr().err == 'invocation_test: warning: model.ckpt-3 is damaged.\n'


def test_a_warning_never_floods_or_controls_a_terminal(capsys):
  def warn():
    logging.getLogger('vgg_slim').warning('%s', '\x1b[2J' + 'x' * 10**6)

  assert run_tool(types.SimpleNamespace(main=warn, __name__='train')) == 0
  printed = capsys.readouterr().err
  assert '\x1b' not in printed and len(printed) < 3000


def test_version_is_printed(capsys):
  assert run_tool(THIS, '--version') == 0
  assert capsys.readouterr().out.startswith('invocation_test (vgg_slim ')


def test_relative_paths_refer_to_the_folder_of_the_user(tmp_path, monkeypatch):
  monkeypatch.chdir('/')
  monkeypatch.setenv('BUILD_WORKING_DIRECTORY', str(tmp_path))
  assert run_tool(THIS) == 0
  assert os.getcwd() == str(tmp_path)
  assert 'BUILD_WORKING_DIRECTORY' not in os.environ  # for commands that this one starts


def test_a_folder_of_the_user_that_is_gone_is_named(tmp_path, monkeypatch, capsys):
  monkeypatch.setenv('BUILD_WORKING_DIRECTORY', str(tmp_path / 'gone'))
  assert run_tool(THIS) == 1
  assert capsys.readouterr().err == (
    f'invocation_test: error: {tmp_path}/gone: No such file or directory.\n'
  )


@pytest.mark.parametrize(
  ('typed', 'value'),
  [
    ('~/x', '/home/me/x'),
    ('a,~/x,~/y', 'a,/home/me/x,/home/me/y'),
    ('~', '~'),
    ('x~/y', 'x~/y'),
    ('/a/~/y', '/a/~/y'),
  ],
)
def test_the_home_folder_is_found_where_shells_leave_it(monkeypatch, typed, value):
  monkeypatch.setenv('HOME', '/home/me')
  assert invocation._expand_home(f'--data_dir={typed}') == f'--data_dir={value}'
  assert invocation._expand_home(f'a={typed}') == f'a={typed}'  # a file


def test_the_home_folder_is_found_in_flags_and_files_of_flags(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  (tmp_path / 'flags').write_text('--invocation_test_one=~/y\n')
  got = []

  def main():
    got.append(_ONE.value)

  main.__module__ = THIS.__name__
  for argument in ('--invocation_test_one=~/x', f'--flagfile={tmp_path}/flags'):
    with flagsaver.flagsaver(), pytest.raises(SystemExit, match='0'):
      invocation.run(main, ['x', argument])
  assert got == ['/home/me/x', '/home/me/y']


@pytest.mark.parametrize(
  ('main', 'message'),
  [
    (lambda: 'caf\udce9.h5'.encode(), 'not UTF-8: caf\\udce9.h5.\n'),
    (lambda: b'\xff'.decode(), "a text is not UTF-8: 'utf-8' codec can't decode byte 0xff"),
  ],
)
def test_what_is_not_utf8_is_named(main, message, capsys):
  assert run_tool(types.SimpleNamespace(main=main, __name__='train')) == 1
  assert capsys.readouterr().err.startswith(f'invocation_test: error: {message}')


def test_loading_tensorflow_prints_nothing():
  code = 'from vgg_slim.commands import invocation; invocation.load_tensorflow(); import tf_slim'
  run = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=300
  )
  assert run.stderr == run.stdout == ''


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_a_signal_that_was_ignored_at_the_start_interrupts(name):
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
  command = [sys.executable, '-m', 'tests.commands.sleeper']
  with started(command, preexec_fn=ignore_signals, **pipes) as process:
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(getattr(signal, name))
    assert process.communicate(timeout=30) == ('removed\n', 'sleeper: error: interrupted.\n')
  assert process.returncode == 128 + getattr(signal, name)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
@pytest.mark.parametrize(('pause', 'text'), [(0.01, 'removed\n'), (0.6, '')])
def test_a_copy_of_a_signal_does_not_cut_the_end_short_and_a_second_one_does(name, pause, text):
  number = getattr(signal, name)
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.DEVNULL}
  with started([sys.executable, '-m', 'tests.commands.sleeper'], **pipes) as process:
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(number)
    time.sleep(pause)
    process.send_signal(number)
    assert process.stdout.read() == text
    is_killed = number == signal.SIGTERM and not text
    assert process.wait(timeout=60) == (-number if is_killed else 128 + number)


def test_signal_handlers_are_restored():
  before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  assert run_tool(THIS) == 0
  assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_every_required_flag_without_a_value_is_named():
  flags.FLAGS(['test'])
  assert invocation.required(_KIND, _KIND) == ['a', 'a']
  with pytest.raises(ConfigError, match='^Give --invocation_test_one and --invocation_test_two; '):
    invocation.required(_ONE, _KIND, _TWO)


def test_a_closed_output_pipe_is_not_an_error():
  line = '"$0" -m "$1" --help | true; exit ${PIPESTATUS[0]}'
  command = ['bash', '-c', line, sys.executable, 'vgg_slim.commands.describe']
  done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
  assert done.stderr == ''
  assert done.returncode in (0, 128 + signal.SIGPIPE)  # 0 if `true` was slower than the tool


@pytest.mark.parametrize(
  ('error', 'code', 'message'),
  [('KeyboardInterrupt', -signal.SIGINT, 'interrupted.'), ('ValueError(7)', 1, 'ValueError: 7')],
)
def test_an_interrupt_while_modules_are_imported_is_one_line(error, code, message):
  program = f'import vgg_slim.commands; raise {error}'
  command = [sys.executable, '-c', program]
  done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
  assert done.returncode == code
  lines = done.stderr.splitlines()
  assert lines[-1] == message
  assert (len(lines) == 1) == (code == -signal.SIGINT)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_an_interrupt_that_python_drops_is_sent_again(capfd, name):
  class Deleted:
    def __del__(self):
      signal.raise_signal(getattr(signal, name))
      time.sleep(0.001)  # lets Python call the handler here

  def delete_and_wait():
    Deleted()
    time.sleep(10)

  slow = types.SimpleNamespace(main=delete_and_wait, __name__='train')
  assert run_tool(slow) == 128 + getattr(signal, name)
  assert capfd.readouterr().err == 'invocation_test: error: interrupted.\n'
