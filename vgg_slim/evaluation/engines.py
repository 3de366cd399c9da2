"""What runs an exported network instead of TensorFlow: onnxruntime and OpenVINO.

check_installed('onnxruntime')
run = ENGINES['onnxruntime']('exports/photos/model.onnx')
probabilities = run(pixels)
"""

import importlib.util
import os
from collections.abc import Callable, Mapping

import numpy as np

from vgg_slim.errors import CheckpointError, ConfigError, reason

# From pixels, float32 [N, h, w, 3], RGB, 0..255, to class probabilities, float32 [N, K].
RunFn = Callable[[np.ndarray], np.ndarray]

INPUT, OUTPUT = 'images', 'probabilities'


def check_installed(engine: str) -> None:
  """Raises ConfigError if the package of an engine is not installed; says how to get it."""
  if importlib.util.find_spec(engine) is None:
    raise ConfigError(f'--engine={engine} needs {engine}, not installed: pip install {engine}')


def _open_onnxruntime(path: str) -> RunFn:
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3  # errors, which are raised as well
  options.intra_op_num_threads = len(os.sched_getaffinity(0))
  session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
  _check_names(
    path, [each.name for each in session.get_inputs()], [o.name for o in session.get_outputs()]
  )
  return lambda batch: session.run([OUTPUT], {INPUT: batch})[0]


def _open_openvino(path: str) -> RunFn:
  import openvino

  core = openvino.Core()
  network = core.read_model(path)
  _check_names(
    path,
    [name for each in network.inputs for name in each.get_names()],
    [name for each in network.outputs for name in each.get_names()],
  )
  # By itself it computes in bfloat16 where the processor can.
  settings = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
  compiled = core.compile_model(network, 'CPU', settings)
  return lambda batch: np.array(compiled({INPUT: batch})[OUTPUT])


def _check_names(path: str, inputs: list[str], outputs: list[str]) -> None:
  if INPUT not in inputs or OUTPUT not in outputs:
    raise CheckpointError(
      f'{path} takes {", ".join(inputs)} and gives {", ".join(outputs)}; expected {INPUT} and '
      f'{OUTPUT}, as tools/export_model writes them for a network with a head.'
    )


ENGINES: Mapping[str, Callable[[str], RunFn]] = {
  'onnxruntime': _open_onnxruntime,
  'openvino': _open_openvino,
}


def open_network(engine: str, path: str) -> RunFn:
  """Loads an ONNX file.

  Args:
    engine: key of ENGINES, whose package is installed.
    path: file with the input INPUT and the output OUTPUT.

  Raises:
    CheckpointError: the file is missing or damaged, or has other inputs and outputs.
  """
  if not os.path.isfile(path):
    raise CheckpointError(f'{path} does not exist; tools/export_model --format=onnx writes it.')
  try:
    return ENGINES[engine](path)
  except CheckpointError:
    raise
  except Exception as error:  # each engine raises errors of its own for a damaged file
    raise CheckpointError(f'{engine} cannot read {path}: {reason(error)}.') from error
