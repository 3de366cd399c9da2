"""Which convolutions to compute in which way, by the kind of processor, as measured.

docs/decisions/0099 has the measurements. A run that is resumed on another kind of processor adds up
the same numbers in another order.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim import processor

WINOGRAD_TILE = 4  # side of an output tile, in pixels


class Thresholds(NamedTuple):
  """The sizes from which, or up to which, a way is faster than oneDNN's direct convolution.

  Attributes:
    taps_pixels: largest map, in pixels, whose kernel gradient is computed by taps.
    inference_channels: least channels, of input and output, for Winograd's forward pass.
    inference_tiles: least number of its tiles of 4x4 pixels, of all images together.
    training_channels: like `inference_channels`, for forward pass and kernel gradient, which
      share the transformed maps.
    training_pairs: least product of input and output channels in training.
    training_tiles: like `inference_tiles`, for training.
    map_gradient_channels: least channels for the gradient of the maps, if training uses Winograd.
  """

  taps_pixels: int
  inference_channels: int
  inference_tiles: int
  training_channels: int
  training_pairs: int
  training_tiles: int
  map_gradient_channels: int


# On Zen 4, whose kernel gradients in float32 run at nearly the speed of the forward pass: training
# takes the same time from 64 to 64 channels either way, and less by Winograd from 64 to 128.
_AVX512 = Thresholds(8 * 8, 128, 16, 64, 64 * 128, 64, 128)
BY_KIND = {
  # oneDNN's kernel gradient runs at 13 to 60 GFLOP/s per core, its forward pass at 90.
  'avx2': Thresholds(8 * 8, 128, 16, 64, 64 * 64, 32, 128),
  'avx512': _AVX512,  # in float32, which has the same instructions as on Zen 4
  'avx512_bf16': _AVX512,
  'amx_bf16': _AVX512,  # taps were measured, Winograd was not
}


@functools.cache
def current() -> Thresholds:
  """The thresholds of this machine's processor; those of AVX-512 where its kind is unknown."""
  return BY_KIND.get(processor.kind() or '', _AVX512)


def is_winograd_faster(
  kernel_shape: Sequence[int],
  stride: int,
  padding: str,
  map_shape: tuple[int, int],
  count: int = 1,
  trains: bool = False,
) -> bool:
  """Whether `winograd` computes a float32 convolution faster than a direct one does.

  Args:
    kernel_shape: shape [kh, kw, C, K] of the kernel.
    stride: stride, in pixels.
    padding: 'SAME' or 'VALID'.
    map_shape: height and width of the input, in pixels.
    count: number of images.
    trains: whether gradients count, or the forward pass alone.
  """
  limits = current()
  channels = limits.training_channels if trains else limits.inference_channels
  least_pairs = limits.training_pairs if trains else channels**2
  least_tiles = limits.training_tiles if trains else limits.inference_tiles
  rows, columns = (-(-side // WINOGRAD_TILE) for side in map_shape)
  return (
    [*kernel_shape[:2], stride, padding] == [3, 3, 1, 'SAME']
    and min(kernel_shape[2:]) >= channels
    and kernel_shape[2] * kernel_shape[3] >= least_pairs
    and min(map_shape) >= WINOGRAD_TILE
    and count * rows * columns >= least_tiles
  )
