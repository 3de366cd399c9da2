"""Real images that an export is compared on, or calibrated on."""

import importlib.resources
import itertools
import math
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.data import manifest, picture_files, records, sources
from vgg_slim.errors import DataError
from vgg_slim.export import serving_graph
from vgg_slim.preprocessing import graph, host
from vgg_slim.weights.contract import Contract

_PHOTOGRAPHS = ('china.jpg', 'flower.jpg')  # that come with scikit-learn
_DIGITS = 2


def default_images() -> list[bytes]:
  """Two photographs and two digits, JPEG and PNG, from scikit-learn."""
  folder = importlib.resources.files('sklearn.datasets') / 'images'
  photographs = [(folder / name).read_bytes() for name in _PHOTOGRAPHS]
  digits = sources.open_source('digits').splits['train']
  return photographs + [host.encode_png(digits[i].read()) for i in range(_DIGITS)]


def read_images(folder: str, most: int) -> list[bytes]:
  """Reads a sample of the images in a folder, as JPEG or PNG.

  Args:
    folder: image files at any depth, of which those are taken that are spread evenly over the
      sorted names; or a converted data set, of whose training split the first images are taken.
    most: largest number of images to read.

  Raises:
    DataError: there are none, or one cannot be read.
  """
  if pathlib.Path(folder, manifest.MANIFEST_FILE).is_file():
    return list(_read_records(folder, most))
  paths = picture_files.list_files([folder])
  if not paths:
    raise DataError(f'{folder} holds no images.')
  step = math.ceil(len(paths) / most)
  return [_read_file(path) for path in paths[::step]]


def prepare_crops(contract: Contract, encoded: Sequence[bytes]) -> list[np.ndarray]:
  """Resizes images and cuts their central squares, uint8 [S, S, 3], RGB."""
  crops = []
  with tf.Graph().as_default(), sessions.open_session() as session:
    file = tf.placeholder(tf.string, [1])
    image = serving_graph.build_decoded(contract, file)[0]
    square = graph.crop(image, contract.image_size)
    for data in encoded:
      crops.append(session.run(square, {file: np.array([data], object)}))
  return [np.rint(crop).astype(np.uint8) for crop in crops]


def _read_records(folder: str, most: int) -> Iterator[bytes]:
  """The first records: a training split is stored in random order."""
  shards = manifest.shard_paths(folder, manifest.read_manifest(folder), 'train')
  return (encoded for _, encoded in itertools.islice(records.read_examples(shards), most))


def _read_file(path: str) -> bytes:
  try:
    return picture_files.read_file(path).encoded
  except DataError as error:
    raise DataError(f'{path} cannot be read: {error}') from error
