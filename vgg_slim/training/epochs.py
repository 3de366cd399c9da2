"""Epoch arithmetic for batches that cross the ends of epochs."""

from typing import NamedTuple


class Epochs(NamedTuple):
  """`num_examples` training images in batches of `batch_size`.

  Attributes:
    num_examples: number of training images.
    batch_size: number of images per step.
    every: number of passes after which the run saves, validates and adds a row to `metrics.csv`.
  """

  num_examples: int
  batch_size: int
  every: int = 1

  def passed(self, step: int) -> float:
    """Number of passes over the training split after `step` steps."""
    return step * self.batch_size / self.num_examples

  def ends(self, step: int) -> bool:
    """Whether step number `step`, counted from 1, completes `every` passes."""
    return step > 0 and self._whole(step) > self._whole(step - 1)

  def ends_between(self, first: int, last: int) -> int:
    """Number of steps after `first`, up to `last`, that complete `every` passes."""
    return min(last - first, self._whole(last) - self._whole(first))

  def _whole(self, step: int) -> int:
    return step * self.batch_size // (self.num_examples * self.every)
