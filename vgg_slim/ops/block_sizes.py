"""Which kernels `blockwise` multiplies, and in which blocks. No TensorFlow."""

import math
from collections.abc import Sequence

LEAST_BYTES = 32 * 2**20  # of a kernel; VGG16's fc8 has 16 MiB, its fc7 64
BLOCK_BYTES = 8 * 2**20
_FLOAT32 = 4  # bytes


def is_worthwhile(shape: Sequence[int]) -> bool:
  """Whether a float32 kernel [..., channels, n_out] is large enough for `blockwise.product`."""
  return _FLOAT32 * math.prod(shape) >= LEAST_BYTES


def rows(shape: Sequence[int]) -> int:
  """Number of rows of a block, which is a box of the kernel: an equal part of its channels.

  It has at most BLOCK_BYTES if a row has.
  """
  *_, channels, n_out = shape
  return _largest_divisor(channels, BLOCK_BYTES // (_FLOAT32 * n_out))


def columns(shape: Sequence[int]) -> int:
  """Number of columns of a block, an equal part, of at most four times BLOCK_BYTES if a column has.

  They are read in the forward pass, when less else is in memory, and are slower if they are narrow.
  """
  *outer, n_out = shape
  return _largest_divisor(n_out, 4 * BLOCK_BYTES // (_FLOAT32 * math.prod(outer)))


def _largest_divisor(number: int, most: int) -> int:
  return max(n for n in range(1, number + 1) if number % n == 0 and (n == 1 or n <= most))
