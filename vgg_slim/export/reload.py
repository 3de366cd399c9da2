"""Loads an export from its folder alone, as a serving program does: no checkpoint, no `nets`."""

import pathlib
import warnings

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints.contract import ONNX_FILE
from vgg_slim.compat import tf
from vgg_slim.export import frozen, saved_model, tflite
from vgg_slim.export.fresh_process import Loaded, Outputs
from vgg_slim.export.serving_graph import ENCODED_IMAGES, IMAGES, OUTPUTS, TRUNK_OUTPUTS


def load_saved_model(folder: pathlib.Path) -> Loaded:
  """Loads a SavedModel with TensorFlow 2's loader, to run eagerly."""
  model = tf.saved_model.load_v2(str(folder))

  def run(batch: np.ndarray) -> Outputs:
    if batch.dtype == object:
      outputs = model.signatures[ENCODED_IMAGES](**{ENCODED_IMAGES: tf.constant(batch)})
    else:
      images = tf.constant(batch)
      outputs = model.signatures[saved_model.SIGNATURES[images.dtype]](**{IMAGES: images})
    return {name: value.numpy() for name, value in outputs.items()}

  return run


def load_frozen(folder: pathlib.Path) -> Loaded:
  """Loads a frozen GraphDef into a TensorFlow 1 session."""
  graph_def = tf.GraphDef.FromString((folder / frozen.FILE).read_bytes())
  graph = tf.Graph()
  with graph.as_default():
    tf.import_graph_def(graph_def, name='')
  outputs = [op.name for op in graph.get_operations() if op.name in OUTPUTS + TRUNK_OUTPUTS]
  session = sessions.open_session(graph)
  return lambda batch: session.run({name: f'{name}:0' for name in outputs}, {f'{IMAGES}:0': batch})


def load_onnx(folder: pathlib.Path) -> Loaded:
  """Loads an ONNX model with onnxruntime."""
  import onnxruntime

  session = onnxruntime.InferenceSession(
    str(folder / ONNX_FILE), providers=['CPUExecutionProvider']
  )
  names = [output.name for output in session.get_outputs()]
  return lambda batch: dict(zip(names, session.run(names, {IMAGES: batch}), strict=True))


def load_tflite(folder: pathlib.Path) -> Loaded:
  """Loads a TensorFlow Lite model; its input is resized for batches of another shape."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # deprecation in favor of another package
    interpreter = tf.lite.Interpreter(str(folder / tflite.FILE))
  (images,) = interpreter.get_input_details()

  def run(batch: np.ndarray) -> Outputs:
    if tuple(images['shape']) != batch.shape:
      interpreter.resize_tensor_input(images['index'], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images['index'], batch)
    interpreter.invoke()
    return {
      output['name']: _dequantize(interpreter.get_tensor(output['index']), *output['quantization'])
      for output in interpreter.get_output_details()
    }

  return run


def _dequantize(values: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
  """Converts quantized integers to real values; a scale of 0 means that they are not quantized."""
  return (values.astype(np.float32) - zero_point) * np.float32(scale) if scale else values
