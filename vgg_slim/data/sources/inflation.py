"""Limits for compressed data, of which a few bytes can declare terabytes. No TensorFlow."""

import zlib
from typing import Protocol

from vgg_slim.errors import DataError

# Images hardly compress, labels and pixels of drawings by up to 1,000. The floor is more than the
# largest image that is read has in pixels, and than the largest file of MNIST, EMNIST and CIFAR.
FLOOR = 2**29  # bytes
RATIO = 100


class Readable(Protocol):
  """A stream of bytes."""

  def read(self, size: int, /) -> bytes: ...


def limit(compressed: int) -> int:
  """Returns the number of bytes that `compressed` bytes may decompress to."""
  return max(FLOOR, RATIO * compressed)


def read(stream: Readable, compressed: int) -> bytes:
  """Reads a stream that decompresses `compressed` bytes.

  Raises:
    DataError: it has more bytes than is allowed; the message names no file.
  """
  data = stream.read(limit(compressed) + 1)
  check(len(data), compressed)
  return data


def inflate(data: bytes) -> bytes:
  """Decompresses a member of a zip archive.

  Raises:
    DataError: it has more bytes than is allowed; the message names no file.
    zlib.error: the data are damaged.
  """
  inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit(len(data)) + 1)
  check(len(inflated), len(data))
  return inflated


def check(size: int, compressed: int) -> None:
  """Raises DataError if `size` bytes are too many for `compressed` ones."""
  if size > limit(compressed):
    raise DataError(
      f'{compressed} bytes decompress to more than {limit(compressed)}, out of all proportion; '
      'the file is damaged or hostile.'
    )
