"""Runs an export as somebody would who has nothing but its folder: no checkpoint, no `nets`."""

import concurrent.futures
import multiprocessing
import pathlib
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.errors import VggSlimError
from vgg_slim.export import frozen, onnx_model, saved_model, tflite
from vgg_slim.export.serving_graph import ENCODED_IMAGES, IMAGES, OUTPUTS, TRUNK_OUTPUTS
from vgg_slim.quiet_import import quiet_import

Outputs = dict[str, np.ndarray]
Loaded = Callable[[np.ndarray], Outputs]


def run_in_fresh_process(
  load: Callable[[pathlib.Path], Loaded], folder: pathlib.Path, batches: Sequence[np.ndarray]
) -> list[Outputs]:
  """Loads an export in a new interpreter and runs it on every batch.

  Args:
    load: one of the functions below.
    folder: the export.
    batches: each float32 or uint8 [N, H, W, 3], or bytes [N].

  Raises:
    VggSlimError: the process died, or the export cannot be loaded or run.
  """
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(
    1, context, initializer=quiet_import, initargs=['vgg_slim.compat']
  ) as pool:
    try:
      return pool.submit(_run, load, folder, batches).result()
    except concurrent.futures.process.BrokenProcessPool as error:
      raise VggSlimError('The process that loaded the export again died; out of memory?') from error


def _run(
  load: Callable[[pathlib.Path], Loaded], folder: pathlib.Path, batches: Sequence[np.ndarray]
) -> list[Outputs]:
  try:
    run = load(folder)
    return [run(batch) for batch in batches]
  except Exception as error:  # of any of four libraries; few of theirs can leave the process
    reason = ' '.join(str(error).split())[:300] or type(error).__name__
    raise VggSlimError(f'The export does not run when it is loaded again: {reason}') from None


def load_saved_model(folder: pathlib.Path) -> Loaded:
  """By TensorFlow 2's loader, eagerly."""
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
  """By TensorFlow 1's import of a GraphDef."""
  graph_def = tf.GraphDef.FromString((folder / frozen.FILE).read_bytes())
  graph = tf.Graph()
  with graph.as_default():
    tf.import_graph_def(graph_def, name='')
  outputs = [op.name for op in graph.get_operations() if op.name in OUTPUTS + TRUNK_OUTPUTS]
  session = sessions.open_session(graph)
  return lambda batch: session.run({name: f'{name}:0' for name in outputs}, {f'{IMAGES}:0': batch})


def load_onnx(folder: pathlib.Path) -> Loaded:
  """By onnxruntime."""
  import onnxruntime

  session = onnxruntime.InferenceSession(
    str(folder / onnx_model.FILE), providers=['CPUExecutionProvider']
  )
  names = [output.name for output in session.get_outputs()]
  return lambda batch: dict(zip(names, session.run(names, {IMAGES: batch}), strict=True))


def load_tflite(folder: pathlib.Path) -> Loaded:
  """By TensorFlow Lite's interpreter, resized to every batch."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # of a successor package
    interpreter = tf.lite.Interpreter(str(folder / tflite.FILE))
  (images,) = interpreter.get_input_details()

  def run(batch: np.ndarray) -> Outputs:
    interpreter.resize_tensor_input(images['index'], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images['index'], batch)
    interpreter.invoke()
    return {
      output['name']: interpreter.get_tensor(output['index'])
      for output in interpreter.get_output_details()
    }

  return run
