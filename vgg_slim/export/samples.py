"""Real images for comparing or calibrating an export. TensorFlow is used for records only."""

import importlib.resources
import io
import itertools
import math
import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from PIL import Image

from vgg_slim.checkpoints.contract import Contract
from vgg_slim.data import manifest, records
from vgg_slim.data.sources import catalog, image_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host, image_area, png_files, upright_images

_PHOTOGRAPHS = ('china.jpg', 'flower.jpg')  # files of scikit-learn
_DIGITS = 2
_ROTATED = 6  # EXIF: the first row of the file is the right side of the image


def default_images() -> dict[str, bytes]:
  """Returns two photographs (JPEG) and two digits (PNG) from scikit-learn, by name."""
  folder = importlib.resources.files('sklearn.datasets') / 'images'
  photographs = {name: (folder / name).read_bytes() for name in _PHOTOGRAPHS}
  digits = catalog.open_source('digits').splits['train']
  return photographs | {
    f'digit {i}': png_files.encode(np.asarray(digits[i].read())) for i in range(_DIGITS)
  }


def read_images(folder: str, most: int) -> dict[str, bytes]:
  """Reads a sample of the images in a folder: JPEG and PNG files unchanged, all others as PNG.

  Args:
    folder: folder of image files at any depth, which are sampled evenly over the sorted paths; or
      of a converted data set, of which the first images of the training split are read.
    most: largest number of images to read.

  Returns:
    Contents of files by path, and those of a converted data set by number, folder and name.

  Raises:
    DataError: there are no images, or one cannot be read.
  """
  if pathlib.Path(folder, manifest.MANIFEST_FILE).is_file():
    return dict(_read_records(folder, most))
  paths = image_files.list_files([folder])
  if not paths:
    raise DataError(f'{folder} holds no images.')
  step = math.ceil(len(paths) / most)
  return {path: _read_file(path) for path in paths[::step]}


def check_sizes(files: Mapping[str, bytes], test_scale: int) -> None:
  """Checks that images are not too large once their smaller side is `test_scale`.

  Args:
    files: contents of files by name.
    test_scale: smaller side Q in pixels.

  Raises:
    DataError: an image is too large; names all that are.
  """
  too_large = []
  for name, data in files.items():
    with Image.open(io.BytesIO(data)) as image:
      width, height = image.size
      if image_area.is_too_large(height, width, test_scale):
        too_large.append(f'{name} ({width} x {height})')
  if too_large:
    raise DataError(
      f'With a smaller side of {test_scale} pixels, {", ".join(too_large)} would have more than '
      f'{image_area.max_pixels(test_scale)} pixels, which are too many to be scored: leave out '
      'what is so elongated.'
    )


def make_odd_files(encoded: bytes) -> dict[str, bytes]:
  """Converts an image to kinds of files that a decoder may get wrong, by description."""
  image = Image.open(io.BytesIO(encoded)).convert('RGB')
  transparent = image.copy()
  transparent.putalpha(Image.linear_gradient('L').resize(image.size))
  deep = Image.fromarray(np.asarray(image.convert('L'), np.uint16) * 257)
  exif = Image.Exif()
  exif[upright_images.ORIENTATION_TAG] = _ROTATED
  return {
    'JPEG file rotated by EXIF': _save(image, 'JPEG', exif=exif, quality=95),
    'transparent PNG file': _save(transparent, 'PNG'),
    '16-bit PNG file': _save(deep, 'PNG'),
    'PNG file with a palette': _save(image.quantize(64), 'PNG'),
  }


def prepare_crops(contract: Contract, files: Iterable[bytes]) -> list[np.ndarray]:
  """Resizes images and crops their centers, uint8 [S, S, 3], RGB, with S the `image_size`."""
  crops = [
    host.crop_middle(host.prepare(data, contract.preprocessing), contract.network.image_size)
    for data in files
  ]
  return [np.rint(crop).astype(np.uint8) for crop in crops]


def _save(image: Image.Image, image_format: str, **options: object) -> bytes:
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


def _read_records(folder: str, most: int) -> Iterator[tuple[str, bytes]]:
  """Reads the first records, which are a random sample: a training split is stored shuffled."""
  shards = manifest.shard_paths(folder, manifest.read_manifest(folder), 'train')
  examples = enumerate(itertools.islice(records.read_examples(shards), most))
  return ((f'image {i} of {folder} {name or ""}'.rstrip(), data) for i, (name, data) in examples)


def _read_file(path: str) -> bytes:
  try:
    stored = image_files.read_file(path)
  except DataError as error:
    raise DataError(f'{path} cannot be read: {error}') from error
  is_kept = stored.found_format in ('JPEG', 'PNG')
  return pathlib.Path(path).read_bytes() if is_kept else stored.encoded
