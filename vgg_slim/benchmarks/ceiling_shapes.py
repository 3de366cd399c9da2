"""The operations whose speed counts as the machine's ceiling for a workload. No TensorFlow."""

import collections
from typing import NamedTuple

from vgg_slim.benchmarks.workload import TRAINING, Workload
from vgg_slim.nets.net_spec import IMAGES, output_sides, with_input_channels

MATMUL = 'matmul'
FORWARD, MAP_GRADIENTS, KERNEL_GRADIENTS = PASSES = (
  'convolutions',
  'map_gradients',
  'kernel_gradients',
)
MATMUL_SIDE = 2048
_MATMUL_FLOP = 2 * MATMUL_SIDE**3


class Conv(NamedTuple):
  """The shape of a convolution of square maps.

  Attributes:
    batch: number of maps.
    side: side of its input, in pixels, with the zeros that the network adds itself.
    channels: number of channels of its input.
    filters: number of channels of its output.
    kernel: side of the kernel, in pixels.
    stride: stride, in pixels of the input.
    padding: 'SAME' or 'VALID'.
    output_side: side of its output, in pixels.
  """

  batch: int
  side: int
  channels: int
  filters: int
  kernel: int
  stride: int
  padding: str
  output_side: int

  @property
  def flop(self) -> int:
    """Number of floating-point operations of a pass, forward or of either gradient."""
    products = self.kernel**2 * self.channels * self.filters
    return 2 * self.batch * self.output_side**2 * products


def names(workload: Workload) -> tuple[str, ...]:
  """The ceilings that apply to a workload: a matrix product, and each pass that it computes."""
  return (MATMUL, *(PASSES if workload.what in TRAINING else (FORWARD,)))


def convolutions(workload: Workload, name: str) -> dict[Conv, int]:
  """The convolutions of one pass over the workload's network, and how often each occurs.

  Args:
    workload: the workload; its batch and image size count.
    name: one of PASSES. The first layer needs no gradient of its input, the images.
  """
  layers = workload.layers()
  sides = output_sides(layers, workload.image_size)
  shapes: collections.Counter[Conv] = collections.Counter()
  for layer, channels in with_input_channels(layers):
    source = layer.inputs[0]
    if layer.kind != 'conv' or (name == MAP_GRADIENTS and source == IMAGES):
      continue
    zeros = layer.padding
    if zeros == 'SAME' or (layer.stride == 1 and 2 * int(zeros) == layer.kernel - 1):
      side, padding = sides[source], 'SAME'
    else:
      side, padding = sides[source] + 2 * int(zeros), 'VALID'
    conv = Conv(
      workload.batch_size,
      side,
      channels,
      layer.channels,
      layer.kernel,
      layer.stride,
      padding,
      sides[layer.name],
    )
    shapes[conv] += 1
  return dict(shapes)


def flop(name: str, workload: Workload) -> int:
  """Number of floating-point operations of one batch of the ceiling `name`."""
  if name == MATMUL:
    return _MATMUL_FLOP
  return sum(conv.flop * count for conv, count in convolutions(workload, name).items())
