"""Layouts of data sets as people have them, each with the outcome that a person expects.

Every image is drawn after the class in its path, so that a wrong label is visible in its pixels.
"""

import io
import os
import pathlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.data import fabricated

COLORS = {'cat': (220, 60, 40), 'dog': (40, 60, 220)}
SIDE = 32
PER_CLASS = 5

Counts = dict[str, dict[str, int]]  # number of images by split and class


class Layout(NamedTuple):
  """One layout.

  Attributes:
    about: description for docs/how-to/data.md, without a full stop.
    make: function that writes the layout into an empty folder and returns --input_dir.
    outcome: number of images by split and class, or a pattern of the error message. Without a
      validation split of its own, the images drawn for validation count as training images.
    dataset: value of --dataset.
    flags: other flags; '{root}' stands for the folder.
    says: pattern of what the terminal says about a conversion that succeeds.
    around: folder that the names of the converter do not contain.
    only_predicted: number of images that predict finds in the folder and convert does not use.
  """

  about: str
  make: Callable[[pathlib.Path], pathlib.Path]
  outcome: Counts | str
  dataset: str = 'folder'
  flags: tuple[str, ...] = ()
  says: str = ''
  around: str = ''
  only_predicted: int = 0


def class_of(path: str) -> str:
  """The class whose name occurs last in a path."""
  return max(COLORS, key=path.lower().rfind)


def draw(path: str) -> bytes:
  """An image of the color of its class with a pattern that only this path has, as PNG or JPEG."""
  pixels = np.full([SIDE, SIDE, 3], COLORS[class_of(path)], np.uint8)
  seed = int.from_bytes(os.fsencode(path), 'big')
  pixels += (
    np.random.default_rng(seed).integers(0, 30, [4, 4, 3], np.uint8).repeat(8, 0).repeat(8, 1)
  )
  stream = io.BytesIO()
  is_jpeg = path.lower().endswith(('.jpg', '.jpg_large'))
  Image.fromarray(pixels).save(stream, 'JPEG' if is_jpeg else 'PNG', subsampling=0)
  return stream.getvalue()


def images(*folders: str, count: int = PER_CLASS, extension: str = '.png') -> list[str]:
  return [f'{folder}/{i}{extension}' for folder in folders for i in range(count)]


def tree(*paths: str, texts: Mapping[str, str] = {}, folders: tuple[str, ...] = ()):
  """Makes a folder of images at `paths`, text files and empty folders."""

  def make(root: pathlib.Path) -> pathlib.Path:
    for path in paths:
      _write(root / path, draw(path))
    for path, text in texts.items():
      _write(root / path, text.encode())
    for folder in folders:
      (root / folder).mkdir(parents=True)
    return root

  return make


def archive(name: str, *paths: str, texts: Mapping[str, str] = {}, is_cut: bool = False):
  """Makes an archive; names that point outside are written as they are.

  Args:
    name: file name, whose ending says the kind.
    *paths: images.
    texts: text files by path.
    is_cut: whether the second half of the file is missing.
  """

  def make(root: pathlib.Path) -> pathlib.Path:
    contents = {path: draw(path) for path in paths}
    contents |= {path: text.encode() for path, text in texts.items()}
    file = root / name
    if name.endswith('.zip'):
      with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as zipped:
        for path, data in contents.items():
          zipped.writestr(path, data)
    else:
      compression: dict[str, Any] = {'gz': 'w:gz', 'tgz': 'w:gz', 'bz2': 'w:bz2', 'xz': 'w:xz'}
      with tarfile.open(file, compression.get(name.rpartition('.')[2], 'w')) as tar:
        for path, data in contents.items():
          member = tarfile.TarInfo(path)
          member.size = len(data)
          tar.addfile(member, io.BytesIO(data))
    if is_cut:
      os.truncate(file, file.stat().st_size // 2)
    return file

  return make


def listed(name: str, text: str, *paths: str):
  """Makes images and a list of them; '{root}' in the text stands for the folder."""

  def make(root: pathlib.Path) -> pathlib.Path:
    tree(*paths)(root)
    (root / name).write_bytes(text.replace('{root}', str(root)).encode())
    return root / name

  return make


def lines(template: str, *paths: str) -> str:
  """One line per image; {0} is its path and {1} its class."""
  return ''.join(template.format(path, class_of(path)) + '\n' for path in paths)


def linked(root: pathlib.Path) -> pathlib.Path:
  """Class folders, files and a loop that are links."""
  tree(*images('store/one_cat', 'store/dog'))(root)
  data = root / 'data'
  (data / 'dog').mkdir(parents=True)
  (data / 'cat').symlink_to(root / 'store' / 'one_cat')
  for i in range(PER_CLASS):
    (data / 'dog' / f'{i}.png').symlink_to(root / 'store' / 'dog' / f'{i}.png')
  (data / 'dog' / 'again').symlink_to(data / 'dog')
  return data


def arrays(dtype: type = np.uint8, label_shape: tuple[int, ...] = (-1,), keys: str = 'xy'):
  """Makes an .npz file as Keras does, x_train, y_train, x_test and y_test."""

  def make(root: pathlib.Path) -> pathlib.Path:
    values: dict[str, Any] = {}
    for split in ('train', 'test'):
      paths = images('cat', 'dog')
      pixels = np.stack([np.asarray(Image.open(io.BytesIO(draw(f'{split}/{p}')))) for p in paths])
      values[f'{keys[0]}_{split}'] = pixels.astype(dtype)
      labels = np.array([list(COLORS).index(class_of(path)) for path in paths])
      values[f'{keys[1]}_{split}'] = labels.reshape(label_shape)
    values['class_names'] = np.array(list(COLORS))
    np.savez(root / 'data.npz', **values)
    return root / 'data.npz'

  return make


def idx_files(first_label: int = 0):
  """Makes files with MNIST's names, whose gray levels say the class: dark for cats."""

  def make(root: pathlib.Path) -> pathlib.Path:
    for prefix in ('train', 't10k'):
      pixels = np.repeat(np.array([60, 200], np.uint8), PER_CLASS)[:, None, None]
      pixels = pixels + np.random.default_rng(0).integers(0, 30, [2 * PER_CLASS, 28, 28], np.uint8)
      labels = np.repeat(np.arange(2, dtype=np.uint8), PER_CLASS) + first_label
      (root / f'{prefix}-images-idx3-ubyte').write_bytes(fabricated.idx_bytes(pixels))
      (root / f'{prefix}-labels-idx1-ubyte').write_bytes(fabricated.idx_bytes(labels))
    return root

  return make


def around(root: pathlib.Path) -> pathlib.Path:
  """A folder that holds nothing but an archive."""
  archive('photos.zip', *images('cat', 'dog'))(root)
  return root


def repacked(root: pathlib.Path) -> pathlib.Path:
  """An archive made by a file manager, with entries for folders."""
  tree(*images('x/cat', 'x/dog'))(root)
  return pathlib.Path(shutil.make_archive(str(root / 'x'), 'zip', root, 'x'))


def _write(path: pathlib.Path, data: bytes) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(data)


def both(count: int = PER_CLASS, cat: str = 'cat', dog: str = 'dog') -> dict[str, int]:
  return {cat: count, dog: count}


CLASSES = images('cat', 'dog')
TRAIN = images('train/cat', 'train/dog')
VALID = images('valid/cat', 'valid/dog', count=2)
TEST = images('test/cat', 'test/dog', count=3)
FLAT = [f'{name}.{i}.jpg' for name in COLORS for i in range(PER_CLASS)]
SPLITS: Counts = {'train': both(), 'validation': both(2), 'test': both(3)}
ORDER = {'classes.txt': 'dog\ncat\n'}
MORE = {'classes.txt': 'bird\ncat\ndog\n'}
