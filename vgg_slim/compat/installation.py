"""Prepares a process for a script for TensorFlow 1."""

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import types
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import (
  decision,
  facade,
  importing,
  numpy_names,
  old_dimensions,
  python2,
  report,
  scanning,
  successors,
)
from vgg_slim.errors import ConfigError


class Options(NamedTuple):
  """What is shown to a script beyond TensorFlow 1's names."""

  keep_v2: bool | None = None  # None: decided from the script's text
  python2: bool = False
  scipy_misc: bool = False
  allow_pickle: bool = False


class Installed(NamedTuple):
  """What was done."""

  summary: str  # one line
  recorder: report.Recorder


def prepare(script: pathlib.Path | None, options: Options) -> Installed:
  """Makes this process run files of the user as TensorFlow 1 did, and returns what was done.

  Args:
    script: file that the decision is made from; None for an interactive session, which gets
      TensorFlow 1's behavior.
    options: what else to show.

  Raises:
    ConfigError: a file is not Python 3, and `python2` is off.
  """
  scan = _scan(script, options.python2)
  if scan.failures and not options.python2:
    path, error = next(iter(scan.failures.items()))
    raise ConfigError(
      f'{path}:{error.lineno} is not Python 3 ({error.msg}); --python2 translates Python 2.'
    )
  os.environ['TF_USE_LEGACY_KERAS'] = '1'  # is read when Keras is first used
  chosen = _decide(scan, script, options.keep_v2)
  recorder = report.Recorder(scan.names)
  shown = facade.Facade(chosen.graph_mode, recorder, numpy_names.names(options.allow_pickle))
  providers: dict[str, importing.Provider]
  providers = {name: shown.module for name in ('tensorflow', 'numpy', 'matplotlib')}
  if options.scipy_misc:
    providers['scipy'] = shown.module
  if chosen.graph_mode:
    importlib.import_module('tensorflow.compat.v1').disable_v2_behavior()
    providers['keras'] = lambda name: shown.module(name.replace('keras', 'tf_keras', 1))
  old_dimensions.accept_whole_floats()
  if options.python2:
    sys.meta_path.insert(0, _Python2Finder())
  importing.replace_imports(providers)
  return Installed(_summary(chosen, scan, options), recorder)


def _scan(script: pathlib.Path | None, is_python2: bool) -> scanning.Scan:
  if script is None:
    return scanning.Scan((), {}, None, {})
  folders = importing.script_folders(str(script.parent))
  return scanning.scan(script, folders, _parse_python2 if is_python2 else ast.parse)


def _parse_python2(source: bytes, path: str) -> ast.Module:
  return python2.translate(importlib.util.decode_source(source), path)


def _decide(
  scan: scanning.Scan, script: pathlib.Path | None, keep_v2: bool | None
) -> decision.Decision:
  if keep_v2 is not None:
    return decision.Decision(not keep_v2, f'--keep_v2={str(keep_v2).lower()}')
  if script is None:
    return decision.Decision(True, 'an interactive session')
  return decision.decide(scan)


def _summary(chosen: decision.Decision, scan: scanning.Scan, options: Options) -> str:
  behavior = "TensorFlow 1's behavior" if chosen.graph_mode else "TensorFlow 2's behavior"
  parts = [f'{behavior} ({chosen.reason})']
  names = scan.names
  contrib = sorted({n.split('.')[2] for n in names if n.startswith('tensorflow.contrib.')})
  if contrib:
    parts.append(f'tf.contrib.{{{",".join(contrib)}}} from tf_slim and TensorFlow')
  if any(n.startswith(('tensorflow.layers', 'tensorflow.keras')) for n in names):
    parts.append('tf.layers and tf.keras from tf_keras')
  numpy = sorted(n for n in names if n.removeprefix('numpy.') in numpy_names.NAMES)
  if numpy:
    parts.append(', '.join(map(successors.spell, numpy)))
  parts += [name for name in ('python2', 'scipy_misc', 'allow_pickle') if getattr(options, name)]
  missing = [n for n in names if n.startswith('tensorflow.') and successors.nearest_way(n[11:])]
  if missing:
    spelled = ', '.join(map(successors.spell, missing))
    parts.append(f'no successor, an error when used: {spelled}')
  if any(n.startswith('scipy.misc.') for n in names) and not options.scipy_misc:
    parts.append('scipy.misc is used: --scipy_misc')
  return '; '.join(parts)


def run(script: pathlib.Path, arguments: Sequence[str], options: Options) -> None:
  """Runs a script as Python would: as `__main__`, with its folder first in `sys.path`."""
  main = types.ModuleType('__main__')
  main.__dict__.update(__file__=str(script), __builtins__=__builtins__, __cached__=None)
  sys.modules['__main__'] = main
  sys.argv = [str(script), *arguments]
  sys.path.insert(0, str(script.resolve().parent))
  source = script.read_bytes()
  if options.python2:
    main.__dict__.update(python2.NAMESPACE)
    tree = _parse_python2(source, str(script))
    exec(compile(tree, str(script), 'exec', dont_inherit=True), main.__dict__)
  else:
    exec(compile(source, str(script), 'exec', dont_inherit=True), main.__dict__)


class _Python2Finder(importlib.abc.MetaPathFinder):
  """Finds modules of the user, whose source is translated."""

  def find_spec(
    self, name: str, path: Sequence[str] | None = None, target: object = None
  ) -> importlib.machinery.ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
      return None
    if not importing.is_script_file(spec.loader.path):
      return None
    spec.loader = _Python2Loader(name, spec.loader.path)
    return spec


class _Python2Loader(importlib.machinery.SourceFileLoader):
  """Translates a module each time, without a file of byte code."""

  def get_code(self, fullname: str) -> types.CodeType:
    tree = python2.translate(self.get_source(fullname) or '', self.path)
    return compile(tree, self.path, 'exec', dont_inherit=True)

  def exec_module(self, module: types.ModuleType) -> None:
    module.__dict__.update(python2.NAMESPACE)
    super().exec_module(module)
