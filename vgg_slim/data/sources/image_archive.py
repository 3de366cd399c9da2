"""Class folders in a tar or zip archive, read in place without extracting them. No TensorFlow."""

import bz2
import functools
import gzip
import lzma
import pathlib
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from vgg_slim.data.sources import image_files, image_folder, split_names
from vgg_slim.data.sources.image_files import HEAD_BYTES
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, fingerprint_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_formats

_DEFLATED_HEAD = 4096  # compressed bytes that give at least HEAD_BYTES
# First bytes of a file -> function that opens it for decompression.
_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
  b'\x1f\x8b': gzip.open,
  b'BZh': bz2.open,
  b'\xfd7zXZ': lzma.open,
}


# What precedes a file in a zip archive: its name and an extra field of these lengths follow.
_ZIP_HEADER = struct.Struct('<4s22xHH')
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Member(NamedTuple):
  """The bytes of one file in an archive.

  Attributes:
    offset: offset of the first byte in the archive.
    size: number of bytes in the archive.
    is_deflated: whether they are compressed as zip archives do.
    checksum: CRC-32 of the file; None in a tar archive, which has none.
  """

  offset: int
  size: int
  is_deflated: bool = False
  checksum: int | None = None


class ArchiveImages(Sequence[LabeledImage]):
  """Images in one archive, read on access.

  Args:
    path: the archive, not compressed as a whole.
    members: name, label and position of each image.
    keep_alive: an object to hold as long as the images, such as the temporary file at `path`.
  """

  def __init__(
    self, path: str, members: Sequence[tuple[str, int, Member]], keep_alive: object = None
  ):
    self._path = path
    self._members = members
    self._keep_alive = keep_alive

  def __len__(self) -> int:
    return len(self._members)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    name, label, member = self._members[index]
    return LabeledImage(name, label, functools.partial(_read_member, self._path, member))


def open_archive(path: pathlib.Path, class_names: Sequence[str] | None = None) -> Source:
  """Opens a tar or zip archive of class folders, or of folders of splits that hold class folders.

  Leading folders that all images share are ignored. A compressed tar archive is decompressed into
  a temporary file, because its images are read in random order. Links and devices are skipped.

  Args:
    path: the archive.
    class_names: see `image_folder.open_folder`.

  Raises:
    DataError: the archive is damaged, has names that point outside it, or has no such folders.
    OSError: the archive cannot be read.
  """
  if zipfile.is_zipfile(path):
    kind, plain, temporary_file = 'zip', path, None
    members, skipped_files = _select_images(path, plain, _zip_members(path))
  else:
    kind = 'tar'
    plain, temporary_file = _decompress(path)
    members, skipped_files = _select_images(path, plain, _tar_members(path, plain))
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
      (prefix + name, label, members[member_names[prefix + name]])
      for name, label in zip(listing.names, listing.labels, strict=True)
    ]
    split = split_by_folder.get(folder, 'train')
    images[split] = ArchiveImages(str(plain), entries, temporary_file)
  return Source(kind, class_names, images, True, fingerprint_files([path]), tuple(skipped_files))


def _decompress(path: pathlib.Path) -> tuple[pathlib.Path, object]:
  """Returns the path of the plain archive, and the temporary file if the archive is compressed."""
  with path.open('rb') as stream:
    head = stream.read(HEAD_BYTES)
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


def _tar_members(path: pathlib.Path, plain: pathlib.Path) -> Iterator[tuple[str, Member | None]]:
  """Yields the name of each file, and its position if it is a regular file."""
  try:
    with tarfile.open(plain, 'r:') as archive:
      for member in archive:
        if not member.isdir():
          is_regular = member.isreg() and not member.issparse()
          yield member.name, Member(member.offset_data, member.size) if is_regular else None
      _check_end(path, plain, archive.offset)
  except tarfile.TarError as error:
    raise DataError(f'{path} is neither a tar nor a zip archive: {error}.') from error


def _check_end(path: pathlib.Path, plain: pathlib.Path, offset: int) -> None:
  """Raises DataError unless a block of zeros ends the archive; tarfile takes any end for one."""
  with plain.open('rb') as stream:
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
      raise DataError(f'{path} is cut off: the block that ends an archive is missing.')


def _zip_members(path: pathlib.Path) -> Iterator[tuple[str, Member | None]]:
  """Yields the name and position of each file.

  Raises:
    DataError: the archive is damaged, encrypted or compressed in another way than by deflate.
  """
  try:
    with zipfile.ZipFile(path) as archive, path.open('rb') as stream:
      for info in archive.infolist():
        if info.is_dir():
          continue
        if info.flag_bits & 1 or info.compress_type not in _ZIP_METHODS:
          raise DataError(
            f'{path}: {info.filename!r} is encrypted or compressed in an unusual way. Unpack the '
            'archive and convert the folder.'
          )
        stream.seek(info.header_offset)
        signature, name_size, extra_size = _ZIP_HEADER.unpack(stream.read(_ZIP_HEADER.size))
        if signature != b'PK\3\4':
          raise DataError(f'{path} is damaged: {info.filename!r} is not where its index says.')
        offset = info.header_offset + _ZIP_HEADER.size + name_size + extra_size
        is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
        yield info.filename, Member(offset, info.compress_size, is_deflated, info.CRC)
  except (zipfile.BadZipFile, struct.error, UnicodeDecodeError) as error:
    raise DataError(f'{path} is damaged: {error}.') from error


def _select_images(
  path: pathlib.Path, plain: pathlib.Path, files: Iterator[tuple[str, Member | None]]
) -> tuple[dict[str, Member], list[str]]:
  """Returns the position of each image by its name, and the sorted names of all other files."""
  members: dict[str, Member] = {}
  skipped_files = []
  with plain.open('rb') as stream:
    for raw_name, member in files:
      name = pathlib.PurePosixPath(raw_name)
      if name.is_absolute() or '..' in name.parts:
        raise DataError(f'{path}: {raw_name!r} points outside the archive.')
      if any(map(image_files.is_ignored, name.parts)):
        continue
      if member and image_formats.is_image_file(name.suffix, _read_head(stream, member)):
        members[name.as_posix()] = member
      else:
        skipped_files.append(name.as_posix())
  return members, sorted(skipped_files)


def _read_head(stream: BinaryIO, member: Member) -> bytes:
  stream.seek(member.offset)
  if not member.is_deflated:
    return stream.read(min(HEAD_BYTES, member.size))
  try:
    return _inflater().decompress(stream.read(min(_DEFLATED_HEAD, member.size)), HEAD_BYTES)
  except zlib.error:
    return b''


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
  return split_names.group_folders(path, contents, class_names)


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
  by_class: dict[str, list[str]] = {}
  for name in names:
    class_name, slash, _ = name.partition('/')
    if slash:
      by_class.setdefault(class_name, []).append(name)
  return by_class


def _read_member(path: str, member: Member) -> bytes:
  with open(path, 'rb') as stream:
    stream.seek(member.offset)
    data = stream.read(member.size)
  if member.is_deflated:
    try:
      data = _inflater().decompress(data)
    except zlib.error as error:
      raise OSError(f'its compressed bytes are damaged: {error}') from error
  if member.checksum is not None and zlib.crc32(data) != member.checksum:
    raise OSError('its bytes do not match their checksum')
  return data


def _inflater() -> 'zlib._Decompress':
  return zlib.decompressobj(-zlib.MAX_WBITS)  # without zlib's own header
