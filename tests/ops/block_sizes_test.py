import math

import pytest

from vgg_slim.ops import block_sizes

FC6, FC7, FC8 = [7, 7, 512, 4096], [1, 1, 4096, 4096], [1, 1, 4096, 1000]


def test_only_large_kernels_are_worthwhile():
  assert [block_sizes.is_worthwhile(shape) for shape in (FC6, FC7, FC8)] == [True, True, False]


@pytest.mark.parametrize('shape', [FC6, FC7])
def test_blocks_divide_the_kernel_and_have_limits(shape):
  rows, columns = block_sizes.rows(shape), block_sizes.columns(shape)
  assert shape[-2] % rows == 0
  assert shape[-1] % columns == 0
  assert 2 * 2**20 <= 4 * rows * shape[-1] <= 8 * 2**20
  assert 2 * 2**20 <= 4 * columns * math.prod(shape[:-1]) <= 32 * 2**20
