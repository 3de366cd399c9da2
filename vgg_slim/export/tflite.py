"""TensorFlow Lite: float32, weights of 8 bits (dynamic range), or 8-bit integers throughout."""

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
  """Names of the outputs of a file; the first is what a script reads that knows of one output.

  `classes` is left out: it would be the only operation that XNNPACK cannot take. So is the class
  score map of a single crop, which holds nothing that the logits do not.
  """
  if contract.num_classes is None:
    return TRUNK_OUTPUTS
  return ('probabilities', 'logits') if is_fixed else ('probabilities', 'logits', 'class_score_map')


def write(prefix: str, contract: Contract, folder: pathlib.Path, is_fixed: bool = True) -> None:
  """Writes FILE: input `images`, float32, RGB, 0..255.

  Args:
    prefix: of the checkpoint.
    contract: of the checkpoint.
    folder: an empty one.
    is_fixed: whether `images` is [1, S, S, 3], S the contract's `image_size`; else [N, H, W, 3],
      which the interpreter has to be resized to before it allocates its tensors.

  Raises:
    CheckpointError: the checkpoint cannot be read or belongs to another network.
  """
  _write(prefix, contract, folder, is_fixed, lambda converter: None)


def write_dynamic(
  prefix: str, contract: Contract, folder: pathlib.Path, is_fixed: bool = True
) -> None:
  """As `write`, with weights of 8 bits: a quarter of the size, and nothing to calibrate.

  Activations are rounded to 8 bits within each layer, by the range that they have at the time.
  """
  _write(prefix, contract, folder, is_fixed, _quantize_weights)


def write_int8(
  prefix: str, contract: Contract, folder: pathlib.Path, calibration: Sequence[np.ndarray]
) -> None:
  """As `write`, of 8-bit integers throughout: `images` and every output are uint8.

  A byte of `images` is a pixel value of 0..255. An output's value is (byte - zero point) * scale,
  both of which the file holds.

  Args:
    prefix: of the checkpoint.
    contract: of the checkpoint.
    folder: an empty one.
    calibration: images whose activations set the ranges of the integers, uint8 [S, S, 3], RGB.
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
  """The images, two pixels of the first being black and white.

  The input's range is then 0..255 whatever the images hold, and one step of it one step of a pixel.
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
  side = contract.image_size
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
  """A SavedModel without variables: what the converter takes names of inputs and outputs from."""
  with tf.Graph().as_default() as graph, sessions.open_session() as session:
    tf.import_graph_def(graph_def, name='')
    find = graph.get_tensor_by_name
    signature = tf.saved_model.predict_signature_def(
      {IMAGES: find(f'{IMAGES}:0')}, {name: find(f'{name}:0') for name in outputs}
    )
    builder = tf.saved_model.Builder(path)
    builder.add_meta_graph_and_variables(session, [tf.saved_model.SERVING], {SIGNATURE: signature})
    builder.save()
