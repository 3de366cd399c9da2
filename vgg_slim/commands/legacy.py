"""Runs an unmodified script for TensorFlow 1 or tf.contrib.slim on TensorFlow 2.21.

  tools/legacy train_image_classifier.py --train_dir=/tmp/run --model_name=vgg_16 ...
  tools/legacy --report nets/vgg_test.py

Everything after the name of the script belongs to the script. Its own files see TensorFlow 1's
names: tf.contrib from tf_slim, tf.layers from tf_keras, private names where they moved, and the
names that NumPy removed. All other packages see TensorFlow as it is. Whether TensorFlow 2's
behavior is turned off is decided from the script's text. See docs/how-to/legacy.md.
"""

import importlib
import logging
import pathlib
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from vgg_slim import terminal
from vgg_slim.commands import interruption, invocation
from vgg_slim.commands.flags import common_flags
from vgg_slim.errors import ConfigError
from vgg_slim.quiet_import import quiet_import

_KEEP_V2 = flags.DEFINE_bool(
  'keep_v2',
  None,
  "Keep TensorFlow 2's behavior (eager mode, resource variables), or with --nokeep_v2 turn it "
  "off. Decided from the script's text by default.",
)
_REPORT = flags.DEFINE_bool(
  'report', False, 'List at the end every deprecated name that the script used, and its successor.'
)
_PYTHON2 = flags.DEFINE_bool(
  'python2', False, 'Translate the files of the script from Python 2, with lib2to3.'
)
_SCIPY_MISC = flags.DEFINE_bool(
  'scipy_misc', False, 'Show imread, imresize, imsave and others of scipy.misc, on Pillow.'
)
_ALLOW_PICKLE = flags.DEFINE_bool(
  'allow_pickle',
  False,
  'Let np.load unpickle, which runs any code in the file. tools/import_weights reads dicts of '
  'arrays without running code.',
)


def main(command: list[str]) -> None:
  """Runs the script `command[0]` with the other arguments, and exits with its exit code."""
  if not command:
    raise ConfigError('Give a script, as in tools/legacy train.py --batch_size=8.')
  script = pathlib.Path(command[0])
  if not script.is_file():
    raise ConfigError(f'There is no file {script}.')
  quiet_import('vgg_slim.compat.installation')
  from vgg_slim.compat import installation, report

  options = installation.Options(
    _KEEP_V2.value, _PYTHON2.value, _SCIPY_MISC.value, _ALLOW_PICKLE.value
  )
  installed = installation.prepare(script, options)
  if not common_flags.is_quiet():
    print(terminal.fold(f'legacy: {installed.summary}.', sys.stderr), file=sys.stderr)
  shows_report = _REPORT.value
  _show_log(common_flags.is_verbose())
  _remove_own_flags()
  try:
    code = _run(installation.run, script, command[1:], options)
  finally:
    if shows_report:
      print(report.text(installed.recorder.rows()), file=sys.stderr)
  sys.exit(code)


def _run(
  run: Callable[..., None], script: pathlib.Path, arguments: list[str], options: NamedTuple
) -> int:
  """Returns the exit code that Python would have given the script."""
  try:
    run(script, arguments, options)
  except KeyboardInterrupt as interrupt:
    traceback.print_exc()
    return 128 + interruption.signal_of(interrupt)
  except Exception as error:
    _print_traceback(error, str(script))
    return 1
  return 0


def _print_traceback(error: Exception, script: str) -> None:
  """Prints a traceback that begins in the script."""
  frames = error.__traceback__
  while frames and frames.tb_frame.f_code.co_filename != script:
    frames = frames.tb_next
  traceback.print_exception(error.with_traceback(frames or error.__traceback__))


def _show_log(verbose: bool) -> None:
  """Shows TensorFlow's log as TensorFlow 1 did, but only with --verbose what is deprecated."""
  logging.getLogger('tensorflow').setLevel(logging.WARNING)
  if not verbose:
    deprecation = importlib.import_module('tensorflow.python.util.deprecation')
    vars(deprecation)['_PRINT_DEPRECATION_WARNINGS'] = False
    # Of tf.layers, attributed to the files of the script.
    warnings.filterwarnings('ignore', '`(tf.layers|layer)[.].* is deprecated', UserWarning)


def _remove_own_flags() -> None:
  """Leaves absl's flags to the script, which may define some of the same names."""
  for name in list(flags.FLAGS):
    # Nothing but commands and absl has defined any yet; `python -m` names this module by its path.
    if not str(flags.FLAGS.find_module_defining_flag(name)).startswith('absl.'):
      delattr(flags.FLAGS, name)
  flags.FLAGS.unparse_flags()


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main, _with_dashes(sys.argv), takes_command=True)


def _with_dashes(argv: list[str]) -> list[str]:
  """Inserts `--` before the first argument that is not a flag, the script."""
  first = next((i for i, each in enumerate(argv[1:], 1) if not each.startswith('-')), len(argv))
  return argv if '--' in argv[:first] else [*argv[:first], '--', *argv[first:]]


if __name__ == '__main__':
  run()
