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
    training_tiles: like `inference_tiles`, for training.
    map_gradient_channels: least channels for the gradient of the maps, if training uses Winograd.
  """

  taps_pixels: int
  inference_channels: int
  inference_tiles: int
  training_channels: int
  training_tiles: int
  map_gradient_channels: int


# Taps in bfloat16 (largest map), and Winograd in float32, on Zen 4. Its kernel gradients run at the
# speed of the forward pass in float32, so that 64 channels are too few.
_AVX512 = Thresholds(8 * 8, 128, 16, 128, 16, 128)
BY_KIND = {
  # oneDNN's kernel gradient runs at 13 to 60 GFLOP/s per core, its forward pass at 90.
  'avx2': Thresholds(8 * 8, 128, 16, 64, 32, 128),
  'avx512': _AVX512,  # not measured
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
  least_tiles = limits.training_tiles if trains else limits.inference_tiles
  rows, columns = (-(-side // WINOGRAD_TILE) for side in map_shape)
  return (
    [*kernel_shape[:2], stride, padding] == [3, 3, 1, 'SAME']
    and min(kernel_shape[2:]) >= channels
    and min(map_shape) >= WINOGRAD_TILE
    and count * rows * columns >= least_tiles
  )
