"""Exports to TensorFlow Lite: float32, 8-bit weights (dynamic range), or 8-bit integers."""

import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.export import frozen
from vgg_slim.export.serving_graph import IMAGES, TRUNK_OUTPUTS
from vgg_slim.export.tflite_metadata import SIGNATURE, describe_model

FILE = 'model.tflite'


def list_outputs(contract: Contract, is_fixed: bool) -> tuple[str, ...]:
  """Returns the names of the outputs; scripts that expect a single output read the first one.

  `classes` is left out, because it would be the only operation that XNNPACK cannot run. The class
  score map of a single crop is left out, because it adds nothing to the logits.
  """
  if contract.network.is_trunk:
    return TRUNK_OUTPUTS
  return ('probabilities', 'logits') if is_fixed else ('probabilities', 'logits', 'class_score_map')


def write(prefix: str, contract: Contract, folder: pathlib.Path, is_fixed: bool = True) -> None:
  """Writes FILE: input `images`, float32, RGB, 0..255.

  Args:
    prefix: prefix of the checkpoint.
    contract: contract of the checkpoint.
    folder: empty folder to write to.
    is_fixed: whether the shape of `images` is [1, S, S, 3], with S the contract's `image_size`, or
      [N, H, W, 3], to which the interpreter must be resized before it allocates its tensors.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    ConfigError: the weights are too large, see `frozen.freeze`.
  """
  _write(prefix, contract, folder, is_fixed, lambda converter: None)


def write_dynamic(
  prefix: str, contract: Contract, folder: pathlib.Path, is_fixed: bool = True
) -> None:
  """Writes FILE as `write` does, with 8-bit weights: a quarter of the size, without calibration.

  Each layer rounds its activations to 8 bits, according to their range at run time.
  """
  _write(prefix, contract, folder, is_fixed, _quantize_weights)


def write_int8(
  prefix: str, contract: Contract, folder: pathlib.Path, calibration: Sequence[np.ndarray]
) -> None:
  """Writes FILE as `write` does, with 8-bit integers throughout: input and outputs are uint8.

  A byte of `images` is a pixel value of 0..255. The value of an output is (byte - zero point) *
  scale, and the file holds both parameters.

  Args:
    prefix: prefix of the checkpoint.
    contract: contract of the checkpoint.
    folder: empty folder to write to.
    calibration: images whose activations determine the ranges of the integers, each uint8
      [S, S, 3], RGB.
  """

  def quantize(converter: tf.lite.TFLiteConverter) -> None:
    _quantize_weights(converter)
    converter.representative_dataset = lambda: _feeds(calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8

  _write(prefix, contract, folder, True, quantize)


def _quantize_weights(converter: tf.lite.TFLiteConverter) -> None:
  converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _feeds(calibration: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
  """Yields the images as batches of one, with a black and a white pixel set in the first image.

  This makes the range of the input 0..255 for any images, so that an integer step is a pixel step.
  """
  for i, image in enumerate(calibration):
    batch = image[np.newaxis].astype(np.float32)
    if i == 0:
      batch[0, 0, 0], batch[0, -1, -1] = 0, 255
    yield [batch]


def _write(
  prefix: str,
  contract: Contract,
  folder: pathlib.Path,
  is_fixed: bool,
  set_up: Callable[[tf.lite.TFLiteConverter], None],
) -> None:
  outputs = list_outputs(contract, is_fixed)
  side = contract.network.image_size
  shape = (1, side, side, 3) if is_fixed else (None, None, None, 3)
  graph_def = frozen.freeze(prefix, contract, shape, outputs)
  with tempfile.TemporaryDirectory(dir=folder) as temporary:
    saved_model = str(pathlib.Path(temporary, 'saved_model'))
    _save(graph_def, outputs, saved_model)
    converter = tf.compat.v2.lite.TFLiteConverter.from_saved_model(
      saved_model, signature_keys=[SIGNATURE]
    )
    set_up(converter)
    model = converter.convert()
  (folder / FILE).write_bytes(describe_model(model, contract, IMAGES, outputs))


def _save(graph_def: tf.GraphDef, outputs: Sequence[str], path: str) -> None:
  """Writes a SavedModel without variables, so that the converter knows all names."""
  with tf.Graph().as_default() as graph, sessions.open_session() as session:
    tf.import_graph_def(graph_def, name='')
    find = graph.get_tensor_by_name
    signature = tf.saved_model.predict_signature_def(
      {IMAGES: find(f'{IMAGES}:0')}, {name: find(f'{name}:0') for name in outputs}
    )
    builder = tf.saved_model.Builder(path)
    builder.add_meta_graph_and_variables(session, [tf.saved_model.SERVING], {SIGNATURE: signature})
    builder.save()
