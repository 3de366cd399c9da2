"""Shapes of the operations whose speed counts as the machine's ceiling. No TensorFlow."""

from typing import NamedTuple


class Conv(NamedTuple):
  """A 3x3 convolution of `batch` maps of `side` x `side` pixels, `channels` in and out."""

  batch: int
  side: int
  channels: int

  @property
  def flop(self) -> int:
    return 2 * 9 * self.batch * self.side**2 * self.channels**2


MATMUL_SIDE = 2048
CONV = Conv(batch=4, side=56, channels=256)  # conv3_2 of VGG16 at 224 px
FLOP = {'matmul': 2 * MATMUL_SIDE**3, 'convolution': CONV.flop}
