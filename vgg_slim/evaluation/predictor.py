"""Predictions for individual images with a checkpoint or a SavedModel."""

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import NamedTuple, TypeVar

import numpy as np

from vgg_slim import op_errors, sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.data.sources import image_files
from vgg_slim.errors import CheckpointError, DataError, NonFiniteError
from vgg_slim.evaluation import heat_maps, score_maps, views
from vgg_slim.evaluation.predictions import Answer, Failure, Prediction, top_classes
from vgg_slim.finite import check_finite
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.preprocessing import graph, image_area

_Opened = TypeVar('_Opened', bound='Predictor')
_LOADERS = 4  # threads that read and decode; both release the GIL


@dataclasses.dataclass(frozen=True)
class View:
  """Which part of an image the network sees.

  Attributes:
    test_scale: smaller side Q of the resized image, in pixels; None for that of the contract.
    central_crop: whether only the central crop is scored, instead of the whole image densely.
    flip: whether to score the horizontally flipped image as well, and average.
  """

  test_scale: int | None = None
  central_crop: bool = False
  flip: bool = False


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


class Predictor:
  """Class probabilities of images; a context manager that closes the session of its network."""

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
    scale = contract.preprocessing.test_scale if view.test_scale is None else view.test_scale
    views.check_test_scales([scale], contract.network.image_size)
    self.source, self.contract = source, contract
    self._view, self._test_scale = view, scale
    self._session = session
    self._pixels, self._probabilities = pixels, probabilities
    with session.graph.as_default(), tf.name_scope('image'):
      self._encoded = tf.placeholder(tf.string, [], 'encoded')
      decoded = graph.decode_rgb(self._encoded)
      image = graph.resize(decoded, scale, contract.preprocessing)
      self._image = graph.crop(image, contract.network.image_size) if view.central_crop else image

  def __enter__(self: _Opened) -> _Opened:
    return self

  def __exit__(self, *exception: object) -> None:
    self._session.close()

  def read(self, path: str) -> np.ndarray:
    """Reads and prepares an image file; safe to call from several threads.

    Raises:
      DataError: the file cannot be read, or is too large to be scored. The message gives the
        reason without the path.
    """
    rules = self.contract.preprocessing
    file = image_files.read_file(path, rules.stored_side, rules.pixel_range)
    if rules.keep_aspect_ratio:  # a square is never too large
      is_cropped = self._view.central_crop
      image_area.check_area(file.height, file.width, self._test_scale, is_cropped)
    return self.prepare(file.encoded)

  def prepare(self, encoded: bytes) -> np.ndarray:
    """Decodes and resizes one image; safe to call from several threads.

    Args:
      encoded: contents of a JPEG or PNG file.

    Returns:
      float32 [h, w, 3], RGB, 0..255.

    Raises:
      DataError: the image cannot be decoded.
    """
    try:
      return self._session.run(self._image, {self._encoded: encoded})
    except tf.errors.InvalidArgumentError as error:
      raise DataError(f'{op_errors.reason(error)}.') from error

  def probabilities(self, images: Sequence[np.ndarray]) -> np.ndarray:
    """Class probabilities of prepared images, float32 [N, K]; images of one size share a batch."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
      by_shape.setdefault(image.shape, []).append(i)
    probabilities = np.zeros([len(images), self.contract.network.num_classes or 0], np.float32)
    for indices in by_shape.values():
      batch = np.stack([images[i] for i in indices])
      views_of_batch = [batch, batch[:, :, ::-1]] if self._view.flip else [batch]
      probabilities[indices] = np.mean([self._run(view) for view in views_of_batch], axis=0)
    return probabilities

  def _run(self, batch: np.ndarray) -> np.ndarray:
    return self._session.run(self._probabilities, {self._pixels: batch})


class CheckpointPredictor(Predictor):
  """Predictor with the network of a checkpoint, which can also explain its predictions."""

  def __init__(self, checkpoint: str, contract: Contract, view: View = View()) -> None:
    """Builds the graph and restores the weights; arguments as in `Predictor`.

    Raises:
      CheckpointError: the checkpoint has no head, cannot be read, or does not fit the network.
      ConfigError: the test scale is too small for the network.
    """
    if contract.network.is_trunk:
      raise CheckpointError(f'{checkpoint} has no head, and a trunk alone predicts no classes.')
    self._explainers: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}
    network = restore.open_network(checkpoint, contract)
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
      CheckpointError: there is no SavedModel, or it lacks that input or output.
      ConfigError: the test scale is too small for the network.
    """
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


def predict_files(
  predictor: Predictor, paths: Sequence[str], top: int, batch_size: int, folder: str = ''
) -> Iterator[Answer]:
  """Predicts image files; at most `batch_size` of them are in memory at a time.

  Args:
    predictor: predictor that scores the images.
    paths: paths of the image files, without duplicates.
    top: number of classes in each prediction.
    batch_size: number of images that are read and decoded at once.
    folder: folder that relative paths refer to; the current one by default.

  Yields:
    The prediction for each file, or the reason why there is none, in the order of `paths`.
  """
  with futures.ThreadPoolExecutor(_LOADERS) as pool:
    for start in range(0, len(paths), batch_size):
      chunk = paths[start : start + batch_size]
      loaded = list(pool.map(functools.partial(_load, predictor, folder), chunk))
      images = [image for image in loaded if not isinstance(image, Failure)]
      rows = iter(predictor.probabilities(images))
      for path, image in zip(chunk, loaded, strict=True):
        yield image if isinstance(image, Failure) else _answer(predictor, path, next(rows), top)


def _load(predictor: Predictor, folder: str, path: str) -> np.ndarray | Failure:
  try:
    return predictor.read(os.path.join(folder, path))
  except DataError as error:
    return Failure(path, str(error))


def _answer(predictor: Predictor, path: str, probabilities: np.ndarray, top: int) -> Answer:
  try:
    check_finite(probabilities[np.newaxis], predictor.source, lambda _: path)
  except NonFiniteError as error:
    return Failure(path, str(error))
  return Prediction(path, top_classes(probabilities, predictor.contract.class_names, top))
