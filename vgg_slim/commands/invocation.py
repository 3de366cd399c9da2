"""Start-up of every tool: working folder, flags, and errors on one line.

Exit codes: 0 done, 1 the work failed (the message says what to fix: data, a checkpoint, a file), 2
wrong flags or an output that cannot be written, 75 another worker of the run was lost, so that the
command is worth running again, 130 interrupted by Ctrl-C, 143 by SIGTERM, 141 the reader of the
output left.
"""

import contextlib
import functools
import importlib
import inspect
import logging
import os
import pathlib
import re
import signal
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from absl import flags

import vgg_slim
from vgg_slim import terminal, wording
from vgg_slim.commands import (
  flag_errors,
  flag_files,
  help_text,
  installation,
  interruption,
  progress,
  standard_streams,
  unknown_flags,
)
from vgg_slim.commands.flags import common_flags
from vgg_slim.configs import types as value_types
from vgg_slim.configs.runtime import NO_GPU, RuntimeConfig
from vgg_slim.errors import (
  ConfigError,
  VggSlimError,
  WorkerLostError,
  describe_file_error,
  one_line,
  shortened,
)
from vgg_slim.quiet_import import quiet_import
from vgg_slim.reporting import JsonStream
from vgg_slim.signal_copies import SignalCopies

_HOME = re.compile(r'(?<=[=,])~(?=/)')
_SECONDS_TO_SEND_AGAIN = 0.05  # until the object is deleted


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
  """Makes SIGINT and SIGTERM raise KeyboardInterrupt(number); a second SIGTERM kills the process.

  A second one within half a second is taken for a copy of the first, and does nothing.

  Without these handlers a process that starts with SIGINT ignored cannot be interrupted: shell
  scripts start background jobs like that, and Python leaves an ignored signal ignored. Only the
  main thread may set handlers; in other threads the block changes nothing.

  Python drops an exception that is raised while it deletes an object. An interrupt that it drops is
  sent again.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return

  copies, has_come = SignalCopies(), False

  def interrupt(number: int, frame: object) -> None:
    nonlocal has_come
    if copies.is_copy():
      return
    if has_come and number == signal.SIGTERM:
      signal.signal(signal.SIGTERM, signal.SIG_DFL)
      os.kill(os.getpid(), signal.SIGTERM)
    has_come = True
    raise KeyboardInterrupt(number)

  def send_again(dropped: 'sys.UnraisableHookArgs') -> None:
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
      show_dropped(dropped)
      return
    nonlocal copies, has_come
    copies, has_come = SignalCopies(), False
    number = (*dropped.exc_value.args, signal.SIGINT)[0]
    threading.Timer(_SECONDS_TO_SEND_AGAIN, os.kill, (os.getpid(), number)).start()

  before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
  show_dropped, sys.unraisablehook = sys.unraisablehook, send_again
  try:
    yield
  finally:
    sys.unraisablehook = show_dropped
    for number, handler in before.items():
      signal.signal(number, handler)


def run(
  main: Callable[..., None], argv: list[str] | None = None, takes_command: bool = False
) -> None:
  """Parses the flags, calls `main` and exits; user errors become one line on stderr.

  With --progress=json they become an event on stdout instead.

  Args:
    main: function without parameters, or with one for the list of positional arguments. The
      docstring and key flags of its module are the text of `--help`.
    argv: program name and arguments; `sys.argv` by default.
    takes_command: whether `main` takes the list of arguments after `--` instead.
  """
  name = pathlib.Path(inspect.getfile(main)).stem
  with standard_streams.prepared(name), _interruptible():
    _run(name, main, sys.argv if argv is None else argv, takes_command)


def _run(name: str, main: Callable[..., None], argv: list[str], takes_command: bool) -> None:
  argv, command = _split_command(argv) if takes_command else (argv, [])
  module = sys.modules[main.__module__]
  _enter_callers_folder()
  if any(argument in help_text.ASKED for argument in argv[1:]):
    print(help_text.make(module))
    sys.exit(0)
  if '--version' in argv[1:]:
    print(f'{name} (vgg_slim {vgg_slim.__version__})')
    sys.exit(0)
  notes, positional = _parse(name, module, argv)
  takes_arguments = not takes_command and bool(inspect.signature(main).parameters)
  if positional and not takes_arguments:
    # Otherwise `--random_flip false` would mean --random_flip=true, with `false` left over.
    _refuse(name, argv, f'unexpected arguments {positional}; flags are written --name=value.')
  is_json = common_flags.progress_format() == common_flags.JSON
  if common_flags.is_quiet() and is_json:
    _refuse(name, argv, 'give either --quiet or --progress=json.')
  if takes_command and is_json:
    _refuse(name, argv, '--progress=json: standard output belongs to the command that it runs.')
  _prepare_tensorflow()
  _show_warnings(name)
  with progress.json_output() if is_json else contextlib.nullcontext():
    if not common_flags.is_quiet():
      for note in notes:
        terminal.show(note)
    _call(
      name,
      functools.partial(main, *([command] if takes_command else [positional] * takes_arguments)),
    )


def _parse(name: str, module: types.ModuleType, argv: list[str]) -> tuple[list[str], list[str]]:
  """Parses flags; returns notes of the flag files, and the other arguments."""
  try:
    argv, notes = flag_files.expand(argv)
    argv = [*argv[:1], *map(_expand_home, argv[1:])]
    positional = flags.FLAGS(argv)[1:]
  except flags.UnrecognizedFlagError as error:
    known = [flag.name for flag in common_flags.flags_of(module)]
    message = unknown_flags.explain(argv, error, known, name)
    _refuse(name, argv, f'{installation.localize(message)} See --help.')
  except (flags.Error, UnicodeDecodeError) as error:
    message = flag_errors.reword(_one_line(error))
    _refuse(name, argv, f'{message.rstrip(".")}. See --help.')
  except RecursionError:  # of absl, which compares a long name with those of all flags
    _refuse(name, argv, 'unknown flag with a name of hundreds of characters. See --help.')
  if problems := _number_problems(common_flags.flags_of(module)):
    _refuse(name, argv, f'{"; ".join(problems)}.')
  return notes, positional


def _refuse(name: str, argv: list[str], message: str) -> NoReturn:
  """Exits because of wrong flags, before the output of the command begins."""
  is_json = common_flags.asks_for_json(argv)
  with progress.json_output() if is_json else contextlib.nullcontext():
    _fail(name, message, 2)
  raise AssertionError  # mypy takes every block for one that could swallow the exit


def _call(name: str, main: Callable[[], None]) -> NoReturn:
  """Calls `main` and exits; errors become a line, or an event, and an exit code."""
  try:
    main()
  except WorkerLostError as error:
    _fail(name, _one_line(error), os.EX_TEMPFAIL)
  except ConfigError as error:  # nothing but flags makes a config here
    _fail(name, _one_line(error), 2)
  except VggSlimError as error:
    _fail(name, _one_line(error), 1)
  except BrokenPipeError:
    raise
  except OSError as error:  # such as a disk that became full
    if standard_streams.may_be_of_output(error) and standard_streams.is_output_lost():
      raise
    _fail(name, f'{wording.printable(describe_file_error(error))}.', 1)
  except MemoryError:
    _fail(name, 'out of memory. Try smaller batches or images.', 1)
  except UnicodeEncodeError as error:
    _fail(name, f'not UTF-8: {wording.printable(shortened(error.object))}.', 1)
  except UnicodeError as error:
    _fail(name, f'a text is not UTF-8: {_one_line(error)}.', 1)
  except Exception as error:
    if not (reason := tensorflow_reason(error)):
      raise
    _fail(name, f'TensorFlow: {reason}. --verbose shows where.', 1)
  except KeyboardInterrupt as interrupt:
    text = interrupt.args[1] if interrupt.args[1:] else 'interrupted.'
    _fail(name, text, 128 + interruption.signal_of(interrupt))
  sys.exit(0)


def _expand_home(argument: str) -> str:
  """Puts the home folder for `~/` in the value of a flag, where shells leave it as it is."""
  if not argument.startswith('-'):
    return argument
  return _HOME.sub(lambda _: os.path.expanduser('~'), argument)


def _number_problems(given: Iterable[flags.Flag]) -> list[str]:
  """Describes the numbers that no graph can hold, which the types of flags accept."""
  kinds = {'int': int, 'float': float}
  return [
    f'--{flag.name} must be {value_types.describe(kind)}, got {flag.value}'
    for flag in given
    if (kind := kinds.get(flag.flag_type()))
    and flag.value is not None
    and not value_types.fits(flag.value, kind)
  ]


def tensorflow_reason(error: Exception) -> str | None:
  """The reason of an error of TensorFlow that no other module expects; None for other errors."""
  if 'tensorflow' not in sys.modules:
    return None
  op_errors = importlib.import_module('vgg_slim.op_errors')
  return op_errors.reason(error) if op_errors.is_op_error(error) else None


def _split_command(argv: list[str]) -> tuple[list[str], list[str]]:
  end = argv.index('--') if '--' in argv else len(argv)
  return argv[:end], argv[end + 1 :]


def required(*needed: flags.FlagHolder[str | None]) -> list[str]:
  """Returns the values of flags.

  Raises:
    ConfigError: flags have no value; the message lists them.
  """
  missing = [f'--{flag.name}' for flag in needed if not flag.value]
  if missing:
    raise ConfigError(f'Give {" and ".join(missing)}; see --help.')
  return [flag.value for flag in needed if flag.value]


def values_by_flag(*holders: flags.FlagHolder) -> dict[str, str | None]:
  """Returns values by the flag as users write it, such as {'--output': 'answers.csv'}."""
  return {f'--{holder.name}': holder.value for holder in holders}


def _enter_callers_folder() -> None:
  """Makes relative paths refer to the folder of the user, also under `bazel run`."""
  # Taken out, so that commands which this one starts have the folder in which they are started.
  folder = os.environ.pop('BUILD_WORKING_DIRECTORY', None)
  if folder:
    os.chdir(folder)


def load_tensorflow(on_cpu: bool = False) -> None:
  """Imports TensorFlow without its start-up log, which only --verbose shows.

  Args:
    on_cpu: whether the sessions of this process use no GPU. Commands that compare two programs do:
      TF32, the default on GPUs, differs from float32 by more than the programs may.
  """
  if 'vgg_slim.compat' not in sys.modules:
    reporter = progress.reporter(sys.stderr)
    reporter.phase('loading', 'Loading TensorFlow', is_brief=True)
    load = importlib.import_module if common_flags.is_verbose() else quiet_import
    load('vgg_slim.compat')
    reporter.clear()
  if on_cpu:
    sessions = importlib.import_module('vgg_slim.sessions')
    sessions.configure(RuntimeConfig(gpus=NO_GPU))


def _prepare_tensorflow() -> None:
  """Enables oneDNN, and without --verbose hides log lines that users cannot act on.

  TensorFlow enables oneDNN by itself only on processors with AVX-512. With AVX2 a training step of
  VGG16 at 32 px took 3.8 s without it and 2.6 s with it.
  """
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
  if common_flags.is_verbose():
    return
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  logging.getLogger('matplotlib').setLevel(logging.ERROR)
  logging.getLogger('tensorflow').setLevel(logging.CRITICAL)  # its errors are raised as well
  warnings.filterwarnings('ignore', module=r'(tensorflow|tf_keras|tf_slim)\b.*')


def _show_warnings(name: str) -> None:
  """Prints warnings of the library as lines on stderr, or as events with --progress=json."""
  handler = _WarningHandler()
  handler.setFormatter(_LocalFormatter(f'{name}: warning: %(message)s'))
  logging.getLogger('vgg_slim').handlers = [handler]


class _WarningHandler(logging.StreamHandler):
  def emit(self, record: logging.LogRecord) -> None:
    if isinstance(sys.stdout, JsonStream):
      text = installation.localize(wording.printable(shortened(record.getMessage())))
      sys.stdout.event('warning', text=text)
    else:
      super().emit(record)


class _LocalFormatter(logging.Formatter):
  """Names commands as they are called here, and fits lines to the terminal."""

  def format(self, record: logging.LogRecord) -> str:
    text = installation.localize(wording.printable(shortened(super().format(record))))
    return terminal.fold(text, sys.stderr)


def _one_line(error: Exception) -> str:
  return installation.localize(wording.printable(one_line(error)))


def _fail(name: str, message: str, code: int) -> NoReturn:
  if common_flags.is_verbose() and sys.exc_info()[0]:
    traceback.print_exc()
  if isinstance(sys.stdout, JsonStream):
    sys.stdout.event('error', text=message)
  else:
    print(terminal.fold(f'{name}: error: {message}', sys.stderr), file=sys.stderr)
  sys.exit(code)
