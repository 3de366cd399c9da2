"""Predictions for individual images with a checkpoint or a SavedModel, by TensorFlow."""

from typing import NamedTuple

import numpy as np

from vgg_slim import op_errors, sessions
from vgg_slim.checkpoints import prefixes, restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.errors import CheckpointError, DataError
from vgg_slim.evaluation import heat_maps, score_maps
from vgg_slim.evaluation.image_predictor import ImagePredictor, View
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.preprocessing import graph


class Explanation(NamedTuple):
  """Heat maps of the evidence for a class.

  Attributes:
    pixels: image as the network saw it, uint8 [H, W, 3], RGB.
    class_map: class score map of the class, float32 [h', w'], 0..1, see
      `heat_maps.build_class_map`.
    grad_cam: Grad-CAM of the class, float32 [h, w], see `heat_maps.build_grad_cam`.
  """

  pixels: np.ndarray
  class_map: np.ndarray
  grad_cam: np.ndarray


class Predictor(ImagePredictor):
  """Class probabilities of images by a session of TensorFlow, which the end of the block closes."""

  def __init__(
    self,
    source: str,
    contract: Contract,
    session: tf.Session,
    pixels: tf.Tensor,
    probabilities: tf.Tensor,
    view: View,
  ) -> None:
    """Adds decoding and resizing to the graph of the session.

    Args:
      source: path of the checkpoint or SavedModel, named in error messages.
      contract: contract of the network.
      session: session with the graph and the weights of the network.
      pixels: placeholder for images, float32 [N, h, w, 3], RGB, 0..255.
      probabilities: class probabilities, float32 [N, K].
      view: view of every image that is scored.

    Raises:
      ConfigError: the test scale is too small for the network.
    """
    super().__init__(source, contract, view)
    self._session = session
    self._pixels, self._probabilities = pixels, probabilities
    with session.graph.as_default(), tf.name_scope('image'):
      self._encoded = tf.placeholder(tf.string, [], 'encoded')
      decoded = graph.decode_rgb(self._encoded)
      image = graph.resize(decoded, self._test_scale, contract.preprocessing)
      self._image = graph.crop(image, contract.network.image_size) if view.central_crop else image

  def __exit__(self, *exception: object) -> None:
    self.close()

  def close(self) -> None:
    """Closes the session, which frees the weights."""
    self._session.close()

  def prepare(self, encoded: bytes) -> np.ndarray:
    try:
      return self._session.run(self._image, {self._encoded: encoded})
    except tf.errors.InvalidArgumentError as error:
      raise DataError(f'{op_errors.reason(error)}.') from error

  def _run(self, batch: np.ndarray) -> np.ndarray:
    return self._session.run(self._probabilities, {self._pixels: batch})


class CheckpointPredictor(Predictor):
  """Predictor with the network of a checkpoint, which can also explain its predictions."""

  def __init__(
    self,
    checkpoint: str,
    contract: Contract,
    view: View = View(),
    precision: str = 'float32',
  ) -> None:
    """Builds the graph and restores the weights; arguments as in `Predictor`.

    Args:
      precision: precision of the session, see `sessions.session_config`.

    Raises:
      CheckpointError: the checkpoint has no head, cannot be read, or does not fit the network.
      ConfigError: the test scale is too small for the network, there is no such precision, or it
        needs a GPU.
    """
    if contract.network.is_trunk:
      raise CheckpointError(f'{checkpoint} has no head, and a trunk alone predicts no classes.')
    self._explainers: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}
    mode = Inference.fast(RuntimeConfig(precision).precision)
    sessions.check_precision(precision)
    network = restore.open_network(checkpoint, contract, mode)
    images, self._outputs = network.images, network.outputs
    with network.session.graph.as_default():
      probabilities = score_maps.build_probabilities(lambda _: self._outputs, images, flip=False)
      self._class_id = tf.placeholder(tf.int32, [], 'class_id')
    super().__init__(checkpoint, contract, network.session, images, probabilities, view)

  def explain(self, image: np.ndarray, class_id: int, layer: str) -> Explanation:
    """Computes heat maps of the evidence for a class in one prepared image.

    Args:
      image: image from `prepare`.
      class_id: class index, 0 .. K - 1.
      layer: name of the end point for Grad-CAM.
    """
    if layer not in self._explainers:
      with self._session.graph.as_default():
        outputs = self._outputs
        score_map, logits = outputs.score_map, outputs.logits
        if self.contract.network.is_sigmoid and score_map is not None and logits is not None:
          outputs = NetOutputs(score_map[..., 1:], logits[:, 1:], outputs.end_points)
        self._explainers[layer] = (
          heat_maps.build_class_map(outputs.score_map, self._class_id)[0],
          heat_maps.build_grad_cam(outputs, layer, self._class_id)[0],
        )
    feeds = {self._pixels: image[np.newaxis], self._class_id: class_id}
    maps = self._session.run(self._explainers[layer], feeds)
    return Explanation(np.clip(np.rint(image), 0, 255).astype(np.uint8), *maps)


class SavedModelPredictor(Predictor):
  """Predictor with a SavedModel that maps `images`, RGB 0..255, to `probabilities`."""

  def __init__(self, folder: str, contract: Contract, view: View = View()) -> None:
    """Loads the model; arguments as in `Predictor`.

    Raises:
      CheckpointError: there is no SavedModel, it lacks that input or output, or TensorFlow would
        not find its weights in a folder of this name.
      ConfigError: the test scale is too small for the network.
    """
    prefixes.check_path(folder)
    session = sessions.open_session(tf.Graph())
    try:
      model = tf.saved_model.load(session, [tf.saved_model.SERVING], folder)
    except (OSError, RuntimeError, tf.errors.OpError) as error:
      raise CheckpointError(f'{folder} cannot be loaded as a SavedModel: {error}') from error
    signature = model.signature_def.get(tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY)
    if not signature or 'images' not in signature.inputs:
      raise CheckpointError(f'{folder} has no signature serving_default with the input images.')
    if 'probabilities' not in signature.outputs:
      raise CheckpointError(
        f'{folder} gives {", ".join(signature.outputs)}, but no probabilities: it holds a trunk '
        'without a head.'
      )
    get_tensor = session.graph.get_tensor_by_name
    pixels = get_tensor(signature.inputs['images'].name)
    probabilities = get_tensor(signature.outputs['probabilities'].name)
    super().__init__(folder, contract, session, pixels, probabilities, view)
