"""Real images that an export is compared on, or calibrated on. No TensorFlow, but for records."""

import importlib.resources
import io
import itertools
import math
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from vgg_slim.checkpoints.contract import Contract
from vgg_slim.data import manifest, records
from vgg_slim.data.sources import catalog, image_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

_PHOTOGRAPHS = ('china.jpg', 'flower.jpg')  # that come with scikit-learn
_DIGITS = 2
_ROTATED = 6  # EXIF: the first row of the file is the right side of the image
_ORIENTATION = 0x0112


def default_images() -> list[bytes]:
  """Two photographs and two digits, JPEG and PNG, from scikit-learn."""
  folder = importlib.resources.files('sklearn.datasets') / 'images'
  photographs = [(folder / name).read_bytes() for name in _PHOTOGRAPHS]
  digits = catalog.open_source('digits').splits['train']
  return photographs + [host.encode_png(digits[i].read()) for i in range(_DIGITS)]


def read_images(folder: str, most: int) -> list[bytes]:
  """Reads a sample of the images in a folder: JPEG and PNG as they are, all else as PNG.

  Args:
    folder: image files at any depth, of which those are taken that are spread evenly over the
      sorted names; or a converted data set, of whose training split the first images are taken.
    most: largest number of images to read.

  Raises:
    DataError: there are none, or one cannot be read.
  """
  if pathlib.Path(folder, manifest.MANIFEST_FILE).is_file():
    return list(_read_records(folder, most))
  paths = image_files.list_files([folder])
  if not paths:
    raise DataError(f'{folder} holds no images.')
  step = math.ceil(len(paths) / most)
  return [_read_file(path) for path in paths[::step]]


def make_odd_files(encoded: bytes) -> dict[str, bytes]:
  """Makes files of the kinds that a decoder can get wrong out of an image, by what they are."""
  image = Image.open(io.BytesIO(encoded)).convert('RGB')
  transparent = image.copy()
  transparent.putalpha(Image.linear_gradient('L').resize(image.size))
  deep = Image.fromarray(np.asarray(image.convert('L'), np.uint16) * 257)
  exif = Image.Exif()
  exif[_ORIENTATION] = _ROTATED
  return {
    'JPEG file rotated by EXIF': _save(image, 'JPEG', exif=exif, quality=95),
    'transparent PNG file': _save(transparent, 'PNG'),
    '16-bit PNG file': _save(deep, 'PNG'),
    'PNG file with a palette': _save(image.quantize(64), 'PNG'),
  }


def prepare_crops(contract: Contract, files: Sequence[bytes]) -> list[np.ndarray]:
  """Resizes images and cuts their central squares, uint8 [S, S, 3], RGB."""
  crops = [
    host.crop_middle(host.prepare(data, contract.preprocessing), contract.image_size)
    for data in files
  ]
  return [np.rint(crop).astype(np.uint8) for crop in crops]


def _save(image: Image.Image, image_format: str, **options: object) -> bytes:
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


def _read_records(folder: str, most: int) -> Iterator[bytes]:
  """The first records: a training split is stored in random order."""
  shards = manifest.shard_paths(folder, manifest.read_manifest(folder), 'train')
  return (encoded for _, encoded in itertools.islice(records.read_examples(shards), most))


def _read_file(path: str) -> bytes:
  try:
    stored = image_files.read_file(path)
  except DataError as error:
    raise DataError(f'{path} cannot be read: {error}') from error
  is_kept = stored.found_format in ('JPEG', 'PNG')
  return pathlib.Path(path).read_bytes() if is_kept else stored.encoded
