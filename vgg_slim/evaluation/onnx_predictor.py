"""Predictions with an ONNX export, by onnxruntime or OpenVINO. No TensorFlow."""

import numpy as np
import PIL.Image

from vgg_slim.checkpoints.contract import ONNX_FILE, Contract
from vgg_slim.errors import CheckpointError, reason
from vgg_slim.evaluation import engines
from vgg_slim.evaluation.image_predictor import ImagePredictor, View
from vgg_slim.preprocessing import description, host


class OnnxPredictor(ImagePredictor):
  """Predictor with the folder of an ONNX export.

  Images are decoded by Pillow, to the same pixels as by TensorFlow, and resized in float32 by
  Pillow's filter, which is the one of `graph.resample`; the pixels differ by rounding errors.
  """

  def __init__(self, folder: str, contract: Contract, engine: str, view: View = View()) -> None:
    """Loads the network.

    Args:
      folder: folder written by `tools/export_model --format=onnx`.
      contract: contract of the network.
      engine: key of `engines.ENGINES`, whose package is installed.
      view: view of every image that is scored.

    Raises:
      CheckpointError: the network is missing, damaged or has no head.
      ConfigError: the test scale is too small for the network.
    """
    super().__init__(folder, contract, view)
    self._path = f'{folder}/{ONNX_FILE}'
    if contract.network.is_trunk:
      raise CheckpointError(f'{folder} has no head, and a trunk alone predicts no classes.')
    self._infer = engines.open_network(engine, self._path)

  def prepare(self, encoded: bytes) -> np.ndarray:
    rules = self.contract.preprocessing
    pixels = host.decode_rgb(encoded)
    image = resize(pixels, self._test_scale, rules)
    if self.view.central_crop:
      image = host.crop_middle(image, self.contract.network.image_size)
    return np.ascontiguousarray(image)

  def _run(self, batch: np.ndarray) -> np.ndarray:
    try:
      probabilities = self._infer(np.ascontiguousarray(batch))
    except Exception as error:  # each engine raises errors of its own
      raise CheckpointError(
        f'{self._path} cannot compute images of {batch.shape[1]}x{batch.shape[2]} pixels, which '
        f'its contract allows: {reason(error)}.'
      ) from error
    expected = (len(batch), self.contract.network.num_classes)
    if probabilities.shape != expected:
      raise CheckpointError(
        f'{self._path} is not the network of its contract: it gives probabilities of shape '
        f'{probabilities.shape}, expected {expected}. Export it again.'
      )
    return probabilities


def resize(pixels: np.ndarray, side: int, rules: description.HasPixelRules) -> np.ndarray:
  """Does what `host.resize` does, in a 25th of the time for a photograph of 500x375 pixels.

  Args:
    pixels: uint8 [H, W, 3].
    side: smaller side of the result, or each side, in pixels.
    rules: description of the preprocessing.

  Returns:
    float32 [H', W', 3], 0..255.
  """
  if rules.resize_filter != description.ANTIALIASED:  # Pillow has no other
    return host.resize(pixels, side, rules)
  height, width = (side, side)
  if rules.keep_aspect_ratio:
    height, width = host.resized_size(pixels.shape[:2], side)
  channels = [
    # In a mode of one channel of float32, since that of three channels would round to 8 bits.
    PIL.Image.fromarray(pixels[..., channel].astype(np.float32)).resize(
      (width, height), PIL.Image.Resampling.BILINEAR
    )
    for channel in range(pixels.shape[-1])
  ]
  return np.stack([np.asarray(channel) for channel in channels], axis=-1)
