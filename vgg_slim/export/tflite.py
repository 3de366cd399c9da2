"""TensorFlow Lite, with float32 weights or with weights of 8 bits."""

import os
import pathlib
import tempfile

from vgg_slim.compat import tf
from vgg_slim.export import frozen
from vgg_slim.export.serving_graph import IMAGES, list_outputs
from vgg_slim.weights.contract import Contract

FILE = 'model.tflite'


def write(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """Writes FILE: input `images`, float32 [N, H, W, 3], RGB, 0..255, to be resized to its pictures.

  Raises:
    CheckpointError: the checkpoint cannot be read or is of another network.
  """
  _write(prefix, contract, folder, optimizations=[])


def write_int8(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """As `write`, with weights of 8 bits (dynamic range): a quarter of the size.

  Activations are rounded to 8 bits within each layer, by the range that they have at the time, so
  that no calibration pictures are needed.
  """
  _write(prefix, contract, folder, optimizations=[tf.lite.Optimize.DEFAULT])


def _write(
  prefix: str, contract: Contract, folder: pathlib.Path, optimizations: list[tf.lite.Optimize]
) -> None:
  with tempfile.TemporaryDirectory(dir=folder) as temporary:
    frozen.write(prefix, contract, pathlib.Path(temporary))
    converter = tf.lite.TFLiteConverter.from_frozen_graph(
      os.path.join(temporary, frozen.FILE), [IMAGES], list_outputs(contract)
    )
    converter.optimizations = optimizations
    (folder / FILE).write_bytes(converter.convert())
