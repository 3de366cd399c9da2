"""Class folders in a tar or zip archive, read in place without extracting them. No TensorFlow."""

import bz2
import functools
import gzip
import lzma
import pathlib
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from vgg_slim import array_archives, files
from vgg_slim.data.sources import class_layout, image_files, inflation
from vgg_slim.data.sources.image_files import HEAD_BYTES
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, fingerprint_files
from vgg_slim.errors import DataError, reason
from vgg_slim.preprocessing import image_formats

_BLOCK_BYTES = 2**20
_PREFIX, _SUFFIX = 'vgg_slim-', '.tar'  # of the decompressed copies in the temporary folder
_DEFLATED_HEAD = 4096  # compressed bytes that give at least HEAD_BYTES
# First bytes of a file -> function that opens it for decompression.
_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
  b'\x1f\x8b': gzip.open,
  b'BZh': bz2.open,
  b'\xfd7zXZ': lzma.open,
}


# What precedes a file in a zip archive: its name and an extra field of these lengths follow.
_ZIP_HEADER = struct.Struct('<4s22xHH')
_ZIP_UTF8 = 0x800  # flag of names in UTF-8
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


Entry = tuple[str, Member | None]


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


def open_archive(
  path: pathlib.Path,
  class_names: Sequence[str] | None = None,
  labels_from: str = class_layout.FROM_FOLDER,
) -> Source:
  """Opens a tar or zip archive of class folders, or of folders of splits that hold class folders.

  A compressed tar archive is decompressed into a temporary file, because its images are read in
  random order. Links and devices are skipped.

  Args:
    path: the archive.
    class_names: see `class_layout.arrange`.
    labels_from: see `class_layout.arrange`.

  Raises:
    DataError: the archive is damaged, has names that point outside it, or has no such folders.
    OSError: the archive cannot be read.
  """
  if zipfile.is_zipfile(path):
    kind, plain, temporary_file = 'zip', path, None
    entries = _zip_members(path)
  else:
    kind = 'tar'
    plain, temporary_file = _decompress(path)
    entries = _tar_members(path, plain)
  members, files = _list_files(path, plain, entries)
  layout = class_layout.arrange(path, files, class_names, labels_from)
  images = {
    split: ArchiveImages(
      str(plain),
      [(n, label, members[layout.around + n]) for n, label in zip(*listing, strict=True)],
      temporary_file,
    )
    for split, listing in layout.splits.items()
  }
  return Source(
    kind,
    layout.class_names,
    images,
    True,
    fingerprint_files([path]),
    skipped_files=layout.skipped_files,
    notes=layout.notes,
  )


def _decompress(path: pathlib.Path) -> tuple[pathlib.Path, object]:
  """Returns the path of the plain archive, and the temporary file if the archive is compressed."""
  with path.open('rb') as stream:
    head = stream.read(HEAD_BYTES)
  reader = next((read for magic, read in _COMPRESSIONS.items() if head.startswith(magic)), None)
  if reader is None:
    return path, None
  # Deleted when the last of the images that refer to it is, or by the next process after a kill.
  files.remove_unlocked(pathlib.Path(tempfile.gettempdir()), f'{_PREFIX}*{_SUFFIX}')
  temporary_file = tempfile.NamedTemporaryFile(prefix=_PREFIX, suffix=_SUFFIX)  # noqa: SIM115
  files.lock(temporary_file)
  try:
    compressed = path.stat().st_size
    with reader(path, 'rb') as stream:
      while block := stream.read(_BLOCK_BYTES):
        temporary_file.write(block)
        inflation.check(temporary_file.tell(), compressed)
    temporary_file.flush()
  except DataError as error:
    raise DataError(f'{path}: {error}') from error
  except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
    raise DataError(f'{path} cannot be decompressed: {error}.') from error
  except OSError as error:
    raise DataError(
      f'{path} cannot be decompressed to {tempfile.gettempdir()}: {error.strerror}. Set TMPDIR to '
      'another folder.'
    ) from error
  return pathlib.Path(temporary_file.name), temporary_file


def _tar_members(path: pathlib.Path, plain: pathlib.Path) -> Iterator[Entry]:
  """Yields the name of each file, and its position if it is a regular file; folders as names/."""
  size = plain.stat().st_size
  try:
    with tarfile.open(plain, 'r:') as archive:
      for member in archive:
        is_regular = member.isreg() and not member.issparse()
        name = f'{member.name}/' if member.isdir() else member.name
        if is_regular and not 0 <= member.size <= size - member.offset_data:
          raise DataError(f'{path} is damaged: the size of {member.name!r} is {member.size}.')
        yield name, Member(member.offset_data, member.size) if is_regular else None
      _check_end(path, plain, archive.offset)
  except tarfile.TarError as error:
    raise DataError(f'{path} is neither a tar nor a zip archive: {error}.') from error


def _check_end(path: pathlib.Path, plain: pathlib.Path, offset: int) -> None:
  """Raises DataError unless a block of zeros ends the archive; tarfile takes any end for one."""
  with plain.open('rb') as stream:
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
      raise DataError(f'{path} is cut off: the block that ends an archive is missing.')


def _zip_members(path: pathlib.Path) -> Iterator[Entry]:
  """Yields the name and position of each file; folders as names/.

  Raises:
    DataError: the archive is damaged, encrypted or compressed in another way than by deflate.
  """
  size = path.stat().st_size
  try:
    with zipfile.ZipFile(path) as archive, path.open('rb') as stream:
      for info in archive.infolist():
        if info.is_dir():
          yield _name_of(info), None
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
        if info.compress_size > size - offset:
          raise DataError(f'{path} is damaged: {info.filename!r} is larger than the archive.')
        is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
        yield _name_of(info), Member(offset, info.compress_size, is_deflated, info.CRC)
  except DataError:
    raise
  except array_archives.ZIP_ERRORS as error:
    raise DataError(f'{path} is damaged: {reason(error)}.') from error


def _name_of(info: zipfile.ZipInfo) -> str:
  """Returns the name of a member, also if it is UTF-8 without the flag that says so.

  Python then decodes it as cp437, as the format wants; macOS and many programs write UTF-8.
  """
  if info.flag_bits & _ZIP_UTF8 or info.filename.isascii():
    return info.filename
  try:
    return info.filename.encode('cp437').decode('utf-8')
  except UnicodeError:
    return info.filename


def _list_files(
  path: pathlib.Path, plain: pathlib.Path, entries: Iterator[Entry]
) -> tuple[dict[str, Member], image_files.Files]:
  """Returns the position of each image by its name, and the names of everything."""
  members: dict[str, Member] = {}
  others = []
  folders: set[str] = set()
  with plain.open('rb') as stream:
    for raw_name, member in entries:
      name = pathlib.PurePosixPath(raw_name)
      if name.is_absolute() or '..' in name.parts:
        raise DataError(f'{path}: {raw_name!r} points outside the archive.')
      if any(map(image_files.is_ignored, name.parts)):
        continue
      if raw_name.endswith('/'):
        folders.add(name.as_posix())
        continue
      folders.update(parent.as_posix() for parent in name.parents)
      if member and image_formats.is_image_file(name.suffix, _read_head(stream, member)):
        members[name.as_posix()] = member
      else:
        others.append(name.as_posix())
  return members, image_files.Files(list(members), others, folders - {'.'})


def _read_head(stream: BinaryIO, member: Member) -> bytes:
  stream.seek(member.offset)
  if not member.is_deflated:
    return stream.read(min(HEAD_BYTES, member.size))
  try:
    return _inflater().decompress(stream.read(min(_DEFLATED_HEAD, member.size)), HEAD_BYTES)
  except zlib.error:
    return b''


def _read_member(path: str, member: Member) -> bytes:
  with open(path, 'rb') as stream:
    stream.seek(member.offset)
    data = stream.read(member.size)
  if member.is_deflated:
    try:
      data = inflation.inflate(data)
    except zlib.error as error:
      raise OSError(f'its compressed bytes are damaged: {error}') from error
  if member.checksum is not None and zlib.crc32(data) != member.checksum:
    raise OSError('its bytes do not match their checksum')
  return data


def _inflater() -> 'zlib._Decompress':
  return zlib.decompressobj(-zlib.MAX_WBITS)  # without zlib's own header
