"""Rows about evaluation, prediction and exports."""

import functools
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.gpu_check import devices
from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError
from benchmarks.gpu_check.settings import NUM_CLASSES, Check
from vgg_slim import api, child_processes
from vgg_slim.evaluation.predictions import Failure

# Largest difference from the CPU's probabilities: norm of the difference, over the norm of how the
# images differ from their mean. TF32 is on, as for users; it rounds factors to 11 bits (5e-4) in
# every layer. Other weights or pixels give about 1.
_TOLERANCE = 0.1
_LONGEST_REASON = 400  # characters of a command's message
# Packages without which a format cannot be written.
_PACKAGES = {'onnx': ('onnx', 'onnxruntime', 'tf2onnx')}


def dense_probabilities(check: Check) -> np.ndarray:
  """Class probabilities of the validation split, float32 [N, K], by dense evaluation."""
  prefix = check.prefix(check.size.model)
  with api.Evaluator(prefix, check.data_dir, views=('dense',)) as evaluator:
    scored = evaluator.score(prefix)
  (only,) = scored.passes.values()
  return np.asarray(only.scores)


def predicted_probabilities(check: Check) -> np.ndarray:
  """Class probabilities of the image files, float32 [N, K]."""
  probabilities = []
  predictor = api.Predictor(check.prefix(check.size.model))
  with predictor:
    for answer in predictor.predict(check.image_files(), top=NUM_CLASSES):
      if isinstance(answer, Failure):
        raise WrongResultError(f'{answer.file}: {answer.reason}')
      by_class = {score.class_id: score.probability for score in answer.top}
      probabilities.append([by_class[label] for label in range(NUM_CLASSES)])
  return np.array(probabilities, np.float32)


def check_dense(check: Check) -> dict[str, Any]:
  """Dense evaluation gives the probabilities of the reference."""
  return _compare(check, 'dense', dense_probabilities(check))


def check_predict(check: Check) -> dict[str, Any]:
  """Prediction gives the probabilities of the reference."""
  return _compare(check, 'predict', predicted_probabilities(check))


def _compare(check: Check, name: str, got: np.ndarray) -> dict[str, Any]:
  with np.load(check.numbers) as numbers:
    expected = numbers[name]
  spread = float(np.linalg.norm(expected - expected.mean(0)))
  error = float(np.linalg.norm(got - expected)) / spread
  same = int(np.sum(got.argmax(1) == expected.argmax(1)))
  text = (
    f'probabilities of {len(got)} images differ by {error:.1e} of their spread (allowed: '
    f'{_TOLERANCE:g}); same class for {same}'
  )
  if not error <= _TOLERANCE:
    raise WrongResultError(text)
  return {
    'where': devices.place(),
    'reason': text,
    'error': error,
    'tolerance': _TOLERANCE,
    'spread': spread,
    'same_class': same,
    'peak_bytes': devices.peak_bytes(),
  }


def _export(kind: str, check: Check) -> dict[str, Any]:
  """Runs the command as users do, in a process of its own."""
  for package in _PACKAGES.get(kind, ()):
    if not _is_installed(package):
      raise NotPossibleError(f'{package} is not installed')
  output = check.folder / f'export_{kind}'
  command = [
    '-m',
    'vgg_slim.commands.export_model',
    f'--checkpoint_path={check.prefix(check.size.model)}',
    f'--format={kind}',
    f'--output={output}',
    f'--verify_dir={pathlib.Path(check.image_files()[0]).parent}',
  ]
  # No time limit of its own: the row has one, and its processes end with it.
  done = subprocess.run(
    [sys.executable, *command], capture_output=True, env=child_processes.environment()
  )
  said = done.stdout.decode(errors='replace').strip().splitlines()
  if done.returncode:
    raise WrongResultError(child_processes.last_line(done.stderr, _LONGEST_REASON))
  compared = next((line for line in said if 'compared with the checkpoint' in line), said[-1])
  return {'where': devices.place(), 'reason': compared.rstrip('.')}


def _is_installed(package: str) -> bool:
  import importlib.util

  return importlib.util.find_spec(package) is not None


export_saved_model = functools.partial(_export, 'saved_model')
export_frozen = functools.partial(_export, 'frozen')
export_tflite = functools.partial(_export, 'tflite')
export_onnx = functools.partial(_export, 'onnx')
