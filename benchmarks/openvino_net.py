"""The same networks in OpenVINO, converted from their Keras models through a SavedModel.

The conversion runs in the same process, so its peak memory is TensorFlow's and says nothing about
OpenVINO.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import keras_net
from vgg_slim.benchmarks.workload import Workload

_PRECISIONS = {'float32': 'f32', 'bfloat16': 'bf16'}


def build_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch; the conversion folds batch norm, as is usual."""
  request = _compile(workload).create_infer_request()
  side = workload.image_size
  images = np.random.default_rng(0).normal(size=[workload.batch_size, side, side, 3])
  feed = [images.astype(np.float32)]
  return lambda: request.infer(feed, share_inputs=True)


def _compile(workload: Workload) -> Any:
  import keras
  import openvino

  keras.config.set_dtype_policy('float32')  # OpenVINO lowers the precision itself
  model = keras_net.build_model(workload)
  settings = {
    'INFERENCE_PRECISION_HINT': _PRECISIONS[workload.precision],
    'INFERENCE_NUM_THREADS': workload.threads,
    'PERFORMANCE_HINT': 'LATENCY',
  }
  with tempfile.TemporaryDirectory() as folder:
    model.export(folder, verbose=False)
    converted = openvino.convert_model(folder)
    converted.reshape([workload.batch_size, *model.input_shape[1:]])
    return openvino.Core().compile_model(converted, 'CPU', settings)
