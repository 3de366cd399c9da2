"""Compares an imported network with its source on one fixed picture."""

import dataclasses

import numpy as np

from vgg_slim.errors import WeightMismatchError
from vgg_slim.weights.frameworks import SourceRun

# Frameworks sum in another order: 1e-6 to 1e-5 of the largest value after 50 layers of float32. A
# wrong epsilon, channel order or flattening gives 1e-2 and more.
TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Largest difference of one output.

  Attributes:
    framework: of the source, with its version.
    what: the output, such as 'logits'.
    difference: largest absolute difference.
    largest: largest absolute value in the source's output.
  """

  framework: str
  what: str
  difference: float
  largest: float

  @property
  def relative(self) -> float:
    return self.difference / max(self.largest, np.finfo(np.float32).tiny)

  def text(self) -> str:
    return (
      f'{self.what} of the probe picture, largest difference from {self.framework}: '
      f'{self.difference:.3g}, {self.relative:.2g} of the largest value {self.largest:.3g}'
    )


def probe_picture(side: int) -> np.ndarray:
  """A fixed picture with smooth parts, edges and noise.

  Args:
    side: in pixels.

  Returns:
    float32 [1, side, side, 3], RGB, 0..255.
  """
  y, x, channel = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing='ij')
  waves = 60 * np.sin(x / 9 + channel) * np.cos(y / 13 - channel)
  squares = 30 * np.sign(np.sin(x / 21) * np.sin((y + 5 * channel) / 17))
  noise = np.random.default_rng(0).uniform(-30, 30, waves.shape)
  return (127.5 + waves + squares + noise).astype(np.float32)[np.newaxis]


def compare(run: SourceRun, ours: np.ndarray, what: str) -> Comparison:
  """Compares our output with the source's.

  Raises:
    WeightMismatchError: other shapes, or a difference above TOLERANCE of the largest value.
  """
  if ours.shape != run.output.shape:
    raise WeightMismatchError(
      f'{run.framework} gives {what} {list(run.output.shape)} for the probe picture, the imported '
      f'network {list(ours.shape)}; nothing is imported.'
    )
  difference = float(np.abs(ours.astype(np.float64) - run.output).max())
  comparison = Comparison(run.framework, what, difference, float(np.abs(run.output).max()))
  # `not <=` catches NaN as well.
  if not comparison.relative <= TOLERANCE:
    raise WeightMismatchError(
      f'{comparison.text()}. That is more than {TOLERANCE:g}: the arrays fit by shape, but the '
      'networks differ, in channel order, input scaling, epsilon or structure; nothing is imported.'
    )
  return comparison
