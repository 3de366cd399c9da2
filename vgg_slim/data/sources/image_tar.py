"""Class folders in a tar archive, read in place: nothing is ever extracted. No TensorFlow."""

import bz2
import functools
import gzip
import lzma
import pathlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence

from vgg_slim.data.sources import image_folder
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, state_of_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

_HEAD_BYTES = 16
# First bytes of a file -> what reads it plain.
_COMPRESSIONS = {b'\x1f\x8b': gzip.open, b'BZh': bz2.open, b'\xfd7zXZ': lzma.open}


class TarImages(Sequence):
  """Pictures in one tar file, made when asked for.

  Args:
    path: the tar file, not compressed.
    members: name, label, first byte and size of each picture.
    keep: lives as long as the pictures do, such as the temporary file at `path`.
  """

  def __init__(self, path: str, members: Sequence[tuple[str, int, int, int]], keep: object = None):
    self._path = path
    self._members = members
    self._keep = keep

  def __len__(self) -> int:
    return len(self._members)

  def __getitem__(self, index: int) -> LabeledImage:
    name, label, start, size = self._members[index]
    return LabeledImage(name, label, functools.partial(_read_part, self._path, start, size))


def open_tar(path: pathlib.Path, class_names: Sequence[str] | None = None) -> Source:
  """Opens an archive of class folders, or of `train`, `validation` and `test` folders of these.

  Folders that hold nothing but one folder are passed through. A compressed archive is decompressed
  into a temporary file, as training reads it in random order. Links and devices are passed over.

  Args:
    path: the archive.
    class_names: as `image_folder.open_folder` takes them.

  Raises:
    DataError: broken, names that lead out of the archive, or no such folders.
    OSError: it cannot be read.
  """
  plain, keep = _decompressed(path)
  members, passed_over = _read_members(path, plain)
  inside = _pass_through(list(members))
  splits = _by_split(inside)
  listings = {
    split: image_folder.listing_of(f'{path}, {split or "/"}', _by_class(names), [], class_names)
    for split, names in splits.items()
  }
  class_names = next(iter(listings.values())).class_names
  images = {}
  for folder, listing in listings.items():
    image_folder.check_same_classes(path, class_names, folder, listing.class_names)
    prefix = f'{folder}/' if folder else ''
    parts = [
      (prefix + name, label, *members[inside[prefix + name]])
      for name, label in zip(listing.names, listing.labels, strict=True)
    ]
    images[image_folder.SPLIT_FOLDERS.get(folder, 'train')] = TarImages(str(plain), parts, keep)
  return Source('tar', class_names, images, True, state_of_files([path]), tuple(passed_over))


def _decompressed(path: pathlib.Path) -> tuple[pathlib.Path, object]:
  with path.open('rb') as stream:
    head = stream.read(_HEAD_BYTES)
  reader = next((read for magic, read in _COMPRESSIONS.items() if head.startswith(magic)), None)
  if reader is None:
    return path, None
  # Removed with the pictures that are read from it.
  keep = tempfile.NamedTemporaryFile(prefix='vgg_slim-', suffix='.tar')  # noqa: SIM115
  try:
    with reader(path, 'rb') as stream:
      shutil.copyfileobj(stream, keep)
  except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
    raise DataError(f'{path} cannot be decompressed: {error}.') from error
  keep.flush()
  return pathlib.Path(keep.name), keep


def _read_members(
  path: pathlib.Path, plain: pathlib.Path
) -> tuple[dict[str, tuple[int, int]], list[str]]:
  """Returns {name: (first byte, size)} of the pictures, and the names of all other files."""
  members, passed_over = {}, []
  try:
    with tarfile.open(plain, 'r:') as archive, plain.open('rb') as stream:
      for member in archive:
        name = pathlib.PurePosixPath(member.name)
        if name.is_absolute() or '..' in name.parts:
          raise DataError(f'{path}: {member.name!r} leads out of the archive.')
        if member.isdir() or any(part.startswith('.') for part in name.parts):
          continue
        stream.seek(member.offset_data)
        head = stream.read(min(_HEAD_BYTES, member.size))
        if member.isreg() and not member.issparse() and host.is_image_file(name.suffix, head):
          members[name.as_posix()] = (member.offset_data, member.size)
        else:
          passed_over.append(name.as_posix())
  except tarfile.TarError as error:
    raise DataError(f'{path} is no tar archive: {error}.') from error
  return members, sorted(passed_over)


def _pass_through(names: list[str]) -> dict[str, str]:
  """{name without the folders that all share: name}; two levels at least are left."""
  parts = [name.split('/') for name in names]
  shared = 0
  while parts and all(len(p) > shared + 2 and p[shared] == parts[0][shared] for p in parts):
    shared += 1
  return {'/'.join(p[shared:]): name for p, name in zip(parts, names, strict=True)}


def _by_split(inside: dict[str, str]) -> dict[str, list[str]]:
  """Names by split folder, '' where there are none."""
  tops = {name.split('/', 1)[0] for name in inside}
  if 'train' not in tops or not tops <= set(image_folder.SPLIT_FOLDERS):
    return {'': list(inside)}
  found = {split: [] for split in image_folder.SPLIT_FOLDERS if split in tops}
  for name in inside:
    split, rest = name.split('/', 1)
    found[split].append(rest)
  return found


def _by_class(names: list[str]) -> dict[str, list[str]]:
  found = {}
  for name in names:
    class_name, slash, _ = name.partition('/')
    if slash:
      found.setdefault(class_name, []).append(name)
  return found


def _read_part(path: str, start: int, size: int) -> bytes:
  with open(path, 'rb') as stream:
    stream.seek(start)
    return stream.read(size)
