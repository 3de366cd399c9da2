"""Predictions for pictures outside of any data set: the forward graph of one checkpoint."""

from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.data import image_ops, picture_files
from vgg_slim.errors import CheckpointError, DataError
from vgg_slim.evaluation import heat_maps, score_maps, views
from vgg_slim.nets import registry
from vgg_slim.nets.outputs import NetOutputs, as_two_classes
from vgg_slim.weights import checkpoints
from vgg_slim.weights.contract import Contract

_LOADERS = 4  # threads that read and decode; both release Python's lock


class Explanation(NamedTuple):
  """What speaks for a class, and where.

  Attributes:
    pixels: uint8 [H, W, 3], RGB, the picture as the network saw it.
    class_map: float32 [h', w'], 0..1, see `heat_maps.build_class_map`.
    grad_cam: float32 [h, w], see `heat_maps.build_grad_cam`.
  """

  pixels: np.ndarray
  class_map: np.ndarray
  grad_cam: np.ndarray


class Predictor:
  """A network, ready for pictures of any size; use it as a context manager."""

  def __init__(
    self,
    checkpoint: str,
    contract: Contract,
    test_scale: int | None = None,
    central_crop: bool = False,
    flip: bool = False,
  ) -> None:
    """Builds the graph and restores the weights.

    Args:
      checkpoint: prefix.
      contract: what the network is and what it is fed.
      test_scale: smaller side Q, in pixels; the contract's by default.
      central_crop: whether only the middle is scored; else the whole picture is, densely.
      flip: whether the mirror image is averaged in.

    Raises:
      CheckpointError: a trunk without a head, or a checkpoint that cannot be read or is of another
        network.
      ConfigError: a scale too small for the network.
    """
    if contract.num_classes is None:
      raise CheckpointError(f'{checkpoint} has no head: a trunk alone predicts nothing.')
    scale = test_scale or contract.test_scale
    views.check_test_scales([scale], contract.image_size)
    self._contract = contract
    self._explainers: dict[str, tf.Tensor] = {}
    with tf.Graph().as_default() as graph:
      self._encoded = tf.placeholder(tf.string, [], 'encoded')
      image = image_ops.resize_smaller_side(image_ops.decode_rgb(self._encoded), scale)
      if central_crop:
        image = image_ops.crop(image, contract.image_size)
      self._image = image_ops.normalize(image, contract.rgb_mean, contract.pixel_scale)
      self._images = tf.placeholder(tf.float32, [None, None, None, 3], 'images')
      self._probabilities = score_maps.build_probabilities(self._build_network, self._images, flip)
      self._class_id = tf.placeholder(tf.int32, [], 'class_id')
      variables = checkpoints.inference_names(checkpoint, tf.global_variables())
      self._session = tf.Session(graph=graph)
      tf.train.Saver(variables).restore(self._session, checkpoint)

  def __enter__(self) -> 'Predictor':
    return self

  def __exit__(self, *exception: object) -> None:
    self._session.close()

  def prepare(self, encoded: bytes) -> np.ndarray:
    """Decodes, resizes and normalises one picture; may be called from several threads.

    Args:
      encoded: JPEG or PNG.

    Returns:
      float32 [h, w, 3].

    Raises:
      DataError: it cannot be decoded.
    """
    try:
      return self._session.run(self._image, {self._encoded: encoded})
    except tf.errors.InvalidArgumentError as error:
      raise DataError(error.message.splitlines()[0]) from error

  def probabilities(self, images: Sequence[np.ndarray]) -> np.ndarray:
    """Class probabilities, float32 [N, K], of prepared pictures; equal sizes share a batch."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
      by_shape.setdefault(image.shape, []).append(i)
    found = np.zeros([len(images), self._contract.num_classes], np.float32)
    for indices in by_shape.values():
      batch = np.stack([images[i] for i in indices])
      found[indices] = self._session.run(self._probabilities, {self._images: batch})
    return found

  def explain(self, image: np.ndarray, class_id: int, layer: str) -> Explanation:
    """Maps of what speaks for a class on one prepared picture.

    Args:
      image: of `prepare`.
      class_id: 0 .. K - 1.
      layer: a name of the network's end points, for Grad-CAM.
    """
    if layer not in self._explainers:
      with self._session.graph.as_default():
        self._explainers[layer] = (
          image_ops.denormalize(
            self._images[0], self._contract.rgb_mean, self._contract.pixel_scale
          ),
          heat_maps.build_class_map(self._outputs.score_map, self._class_id)[0],
          heat_maps.build_grad_cam(self._outputs, layer, self._class_id)[0],
        )
    feeds = {self._images: image[np.newaxis], self._class_id: class_id}
    return Explanation(*self._session.run(self._explainers[layer], feeds))

  def _build_network(self, images: tf.Tensor) -> NetOutputs:
    contract = self._contract
    self._outputs = registry.build(
      contract.model,
      images,
      contract.num_logits,
      is_training=False,
      image_size=contract.image_size,
      fc_units=contract.fc_units,
      head=contract.head,
    )
    return as_two_classes(self._outputs) if contract.num_logits == 1 else self._outputs


def predict_files(
  predictor: Predictor,
  paths: Sequence[str],
  batch_size: int,
  progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
  """Predicts picture files; at most `batch_size` of them are in memory at a time.

  Args:
    predictor: ready for pictures.
    paths: files, each once.
    batch_size: at most so many pictures at once.
    progress: called with (pictures done, in all).

  Returns:
    class probabilities, float32 [K], by path, and by path why a file could not be read.
  """

  def load(path: str) -> np.ndarray | DataError:
    try:
      return predictor.prepare(picture_files.read_file(path).encoded)
    except DataError as error:
      return error

  found, unreadable = {}, {}
  with futures.ThreadPoolExecutor(_LOADERS) as pool:
    for start in range(0, len(paths), batch_size):
      chunk = paths[start : start + batch_size]
      loaded = dict(zip(chunk, pool.map(load, chunk), strict=True))
      images = {path: image for path, image in loaded.items() if not isinstance(image, DataError)}
      unreadable |= {path: str(loaded[path]) for path in chunk if path not in images}
      found |= zip(images, predictor.probabilities(list(images.values())), strict=True)
      if progress:
        progress(start + len(chunk), len(paths))
  return found, unreadable
