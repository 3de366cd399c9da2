"""Compares an imported network with its source on one fixed image."""

import dataclasses

import numpy as np

from vgg_slim.errors import WeightMismatchError
from vgg_slim.weights.frameworks import SourceRun

# Frameworks sum in different orders, which gives 1e-6 to 1e-5 of the largest value after 50 layers
# of float32. A wrong epsilon, channel order or flattening gives 1e-2 or more.
TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Comparison:
  """The largest difference between two networks in one output.

  Attributes:
    framework: name and version of the source's framework.
    what: name of the output, such as 'logits'.
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
      f'{self.what} of the probe image, largest difference from {self.framework}: '
      f'{self.difference:.3g}, {self.relative:.2g} of the largest value {self.largest:.3g}'
    )


def probe_image(side: int) -> np.ndarray:
  """Returns a fixed image with smooth areas, edges and noise.

  Args:
    side: height and width of the image, in pixels.

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

  Args:
    run: output of the source network.
    ours: output of the imported network.
    what: name of the output, for messages.

  Raises:
    WeightMismatchError: the shapes differ, or the values differ by more than TOLERANCE of the
      largest value.
  """
  if ours.shape != run.output.shape:
    raise WeightMismatchError(
      f'{run.framework} gives {what} {list(run.output.shape)} for the probe image, the imported '
      f'network {list(ours.shape)}; nothing is written.'
    )
  difference = float(np.abs(ours.astype(np.float64) - run.output).max())
  comparison = Comparison(run.framework, what, difference, float(np.abs(run.output).max()))
  # `not <=` is also true for NaN.
  if not comparison.relative <= TOLERANCE:
    raise WeightMismatchError(
      f'{comparison.text()}. That is more than {TOLERANCE:g}: the arrays fit by shape, but the '
      'networks differ, in channel order, input scaling, epsilon or structure; nothing is written.'
    )
  return comparison
