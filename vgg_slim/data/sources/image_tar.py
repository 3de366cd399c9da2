"""Class folders in a tar archive, read in place without extracting them. No TensorFlow."""

import bz2
import functools
import gzip
import lzma
import pathlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Mapping, Sequence

from vgg_slim.data.sources import image_files, image_folder, split_names
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, fingerprint_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

_HEAD_BYTES = 16
# First bytes of a file -> function that opens it for decompression.
_COMPRESSIONS = {b'\x1f\x8b': gzip.open, b'BZh': bz2.open, b'\xfd7zXZ': lzma.open}


class TarImages(Sequence):
  """Images in one tar file, read on access.

  Args:
    path: the tar file, not compressed.
    members: name, label, offset and size in bytes of each image.
    keep_alive: an object to hold as long as the images, such as the temporary file at `path`.
  """

  def __init__(
    self, path: str, members: Sequence[tuple[str, int, int, int]], keep_alive: object = None
  ):
    self._path = path
    self._members = members
    self._keep_alive = keep_alive

  def __len__(self) -> int:
    return len(self._members)

  def __getitem__(self, index: int) -> LabeledImage:
    name, label, offset, size = self._members[index]
    return LabeledImage(name, label, functools.partial(_read_member, self._path, offset, size))


def open_tar(path: pathlib.Path, class_names: Sequence[str] | None = None) -> Source:
  """Opens an archive of class folders, or of folders of splits that hold class folders.

  Leading folders that all images share are ignored. A compressed archive is decompressed into a
  temporary file, because its images are read in random order. Links and devices are passed over.

  Args:
    path: the archive.
    class_names: see `image_folder.open_folder`.

  Raises:
    DataError: the archive is damaged, has names that point outside it, or has no such folders.
    OSError: the archive cannot be read.
  """
  plain, temporary_file = _decompress(path)
  members, skipped_files = _read_members(path, plain)
  member_names = _strip_shared_folders(list(members))
  split_by_folder = _splits_in(path, member_names, class_names)
  splits = _by_folder(member_names, split_by_folder)
  listings = {
    split: image_folder.make_listing(f'{path}, {split or "/"}', _by_class(names), [], class_names)
    for split, names in splits.items()
  }
  class_names = next(iter(listings.values())).class_names
  images = {}
  for folder, listing in listings.items():
    image_folder.check_same_classes(path, class_names, folder, listing.class_names)
    prefix = f'{folder}/' if folder else ''
    entries = [
      (prefix + name, label, *members[member_names[prefix + name]])
      for name, label in zip(listing.names, listing.labels, strict=True)
    ]
    split = split_by_folder.get(folder, 'train')
    images[split] = TarImages(str(plain), entries, temporary_file)
  return Source('tar', class_names, images, True, fingerprint_files([path]), tuple(skipped_files))


def _decompress(path: pathlib.Path) -> tuple[pathlib.Path, object]:
  """Returns the path of the plain archive, and the temporary file if the archive is compressed."""
  with path.open('rb') as stream:
    head = stream.read(_HEAD_BYTES)
  reader = next((read for magic, read in _COMPRESSIONS.items() if head.startswith(magic)), None)
  if reader is None:
    return path, None
  # Deleted when the last of the images that refer to it is.
  temporary_file = tempfile.NamedTemporaryFile(prefix='vgg_slim-', suffix='.tar')  # noqa: SIM115
  try:
    with reader(path, 'rb') as stream:
      shutil.copyfileobj(stream, temporary_file)
  except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
    raise DataError(f'{path} cannot be decompressed: {error}.') from error
  temporary_file.flush()
  return pathlib.Path(temporary_file.name), temporary_file


def _read_members(
  path: pathlib.Path, plain: pathlib.Path
) -> tuple[dict[str, tuple[int, int]], list[str]]:
  """Returns {name: (offset, size)} of the images, and the sorted names of all other files."""
  members, skipped_files = {}, []
  try:
    with tarfile.open(plain, 'r:') as archive, plain.open('rb') as stream:
      for member in archive:
        name = pathlib.PurePosixPath(member.name)
        if name.is_absolute() or '..' in name.parts:
          raise DataError(f'{path}: {member.name!r} points outside the archive.')
        if member.isdir() or any(map(image_files.is_ignored, name.parts)):
          continue
        stream.seek(member.offset_data)
        head = stream.read(min(_HEAD_BYTES, member.size))
        if member.isreg() and not member.issparse() and host.is_image_file(name.suffix, head):
          members[name.as_posix()] = (member.offset_data, member.size)
        else:
          skipped_files.append(name.as_posix())
  except tarfile.TarError as error:
    raise DataError(f'{path} is not a tar archive: {error}.') from error
  return members, sorted(skipped_files)


def _strip_shared_folders(names: list[str]) -> dict[str, str]:
  """Returns {name without the leading folders that all names share: name}; keeps two levels."""
  parts = [name.split('/') for name in names]
  shared = 0
  while parts and all(len(p) > shared + 2 and p[shared] == parts[0][shared] for p in parts):
    shared += 1
  return {'/'.join(p[shared:]): name for p, name in zip(parts, names, strict=True)}


def _splits_in(
  path: pathlib.Path, names: Collection[str], class_names: Sequence[str] | None
) -> dict[str, str]:
  """Returns the split of each top folder; empty if these folders are classes."""
  contents: dict[str, set[str]] = {}
  for folder, *others in (name.split('/') for name in names):
    contents.setdefault(folder, set()).update(others[:-1][:1])
  if class_names is not None and set(contents) <= set(class_names):
    return {}
  return split_names.group_folders(path, contents)


def _by_folder(names: Collection[str], split_by_folder: Mapping[str, str]) -> dict[str, list[str]]:
  """Groups names by folder of a split; all are under '' where there are no splits."""
  if not split_by_folder:
    return {'': list(names)}
  by_folder: dict[str, list[str]] = {folder: [] for folder in split_by_folder}
  for name in names:
    folder, rest = name.split('/', 1)
    by_folder[folder].append(rest)
  return by_folder


def _by_class(names: list[str]) -> dict[str, list[str]]:
  by_class = {}
  for name in names:
    class_name, slash, _ = name.partition('/')
    if slash:
      by_class.setdefault(class_name, []).append(name)
  return by_class


def _read_member(path: str, offset: int, size: int) -> bytes:
  with open(path, 'rb') as stream:
    stream.seek(offset)
    return stream.read(size)
