"""Predictions for image files with any engine that runs a network. No TensorFlow."""

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import TypeVar

import numpy as np

from vgg_slim.checkpoints.contract import Contract
from vgg_slim.data.sources import image_files
from vgg_slim.errors import DataError, NonFiniteError
from vgg_slim.evaluation import views
from vgg_slim.evaluation.predictions import Answer, Failure, Prediction, top_classes
from vgg_slim.finite import check_finite
from vgg_slim.preprocessing import image_area

_Opened = TypeVar('_Opened', bound='ImagePredictor')
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


class ImagePredictor:
  """Class probabilities of images; a context manager that closes the network.

  A subclass decodes images (`prepare`) and runs the network (`_run`).

  Attributes:
    source: path of the network, named in error messages.
    contract: contract of the network.
    view: view of every image that is scored.
  """

  def __init__(self, source: str, contract: Contract, view: View) -> None:
    """Checks the view.

    Args:
      source: path of the network.
      contract: contract of the network.
      view: view of every image that is scored.

    Raises:
      ConfigError: the test scale is too small for the network.
    """
    scale = contract.preprocessing.test_scale if view.test_scale is None else view.test_scale
    views.check_test_scales([scale], contract.network.image_size)
    self.source, self.contract = source, contract
    self.view, self._test_scale = view, scale

  def __enter__(self: _Opened) -> _Opened:
    return self

  def __exit__(self, *exception: object) -> None:
    """Closes the network."""

  def read(self, path: str) -> np.ndarray:
    """Reads and prepares an image file; safe to call from several threads.

    Raises:
      DataError: the file cannot be read, or is too large to be scored. The message gives the
        reason without the path.
    """
    rules = self.contract.preprocessing
    file = image_files.read_file(path, rules.stored_side, rules.pixel_range)
    if rules.keep_aspect_ratio:  # a square is never too large
      is_cropped = self.view.central_crop
      smallest = self.contract.network.image_size
      image_area.check_area(file.height, file.width, self._test_scale, is_cropped, smallest)
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
    raise NotImplementedError

  def probabilities(self, images: Sequence[np.ndarray]) -> np.ndarray:
    """Class probabilities of prepared images, float32 [N, K].

    Images of one size share a batch, which has no more pixels than one image may have.
    """
    probabilities = np.zeros([len(images), self.contract.network.num_classes or 0], np.float32)
    for indices in _batches(images, image_area.max_pixels(self._test_scale)):
      batch = np.stack([images[i] for i in indices])
      views_of_batch = [batch, batch[:, :, ::-1]] if self.view.flip else [batch]
      probabilities[indices] = np.mean([self._run(view) for view in views_of_batch], axis=0)
    return probabilities

  def _run(self, batch: np.ndarray) -> np.ndarray:
    """Class probabilities, float32 [N, K], of float32 [N, h, w, 3]."""
    raise NotImplementedError


def _batches(images: Sequence[np.ndarray], max_pixels: int) -> Iterator[list[int]]:
  """Yields indices of images of one size that together have at most `max_pixels`, at least one."""
  by_shape: dict[tuple[int, ...], list[int]] = {}
  for i, image in enumerate(images):
    by_shape.setdefault(image.shape, []).append(i)
  for (height, width, _), indices in by_shape.items():
    size = max(1, max_pixels // (height * width))
    for start in range(0, len(indices), size):
      yield indices[start : start + size]


def predict_files(
  predictor: ImagePredictor, paths: Sequence[str], top: int, batch_size: int, folder: str = ''
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


def _load(predictor: ImagePredictor, folder: str, path: str) -> np.ndarray | Failure:
  try:
    return predictor.read(os.path.join(folder, path))
  except DataError as error:
    return Failure(path, str(error))


def _answer(predictor: ImagePredictor, path: str, probabilities: np.ndarray, top: int) -> Answer:
  try:
    check_finite(probabilities[np.newaxis], predictor.source, lambda _: path)
  except NonFiniteError as error:
    return Failure(path, str(error))
  return Prediction(path, top_classes(probabilities, predictor.contract.class_names, top))
