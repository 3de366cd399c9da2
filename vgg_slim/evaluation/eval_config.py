"""Configuration of an evaluation. No TensorFlow."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.preprocessing import PreprocessingConfig
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import views

AVERAGES = ('probabilities', 'logits')


def flips_by_default(preprocessing: PreprocessingConfig, manifest: Manifest) -> bool:
  """Whether mirror images are averaged in by default: training flipped them, and they are valid."""
  return preprocessing.random_flip and manifest.mirror_safe


@dataclasses.dataclass(frozen=True)
class EvalConfig:
  """Which images are scored, in which views, and how views are averaged (arXiv:1409.1556, 3.2).

  Attributes:
    test_scales: smaller sides Q of the resized images, in pixels.
    views: names from `views.VIEWS`; several joined by '+' are averaged.
    split: name of the split to score.
    flip: whether to score horizontally flipped images as well, and average.
    average: quantity that is averaged over views: 'probabilities', as in the paper, or 'logits'.
    use_averages: whether to use the moving averages of the weights where a checkpoint has them.
    pool_rounding: rounding of pooling output sizes, see `nets.mode.Inference`.
    batch_size: maximum number of crops per batch; batches of whole images hold at most as many
      pixels as this number of crops.
  """

  test_scales: tuple[int, ...]
  views: tuple[str, ...] = (views.WHOLE,)
  split: str = 'validation'
  flip: bool = True
  average: str = AVERAGES[0]
  use_averages: bool = True
  pool_rounding: str = POOL_ROUNDINGS[0]
  batch_size: int = 32

  def __post_init__(self):
    object.__setattr__(self, 'test_scales', tuple(self.test_scales))
    object.__setattr__(self, 'views', tuple(self.views))
    views.check_views(self.views)
    checks = Checks(self)
    checks.require(self.average in AVERAGES, 'average', f'one of {AVERAGES}')
    checks.require(
      self.pool_rounding in POOL_ROUNDINGS, 'pool_rounding', f'one of {POOL_ROUNDINGS}'
    )
    checks.require(self.batch_size >= 1, 'batch_size', 'at least 1')
    checks.raise_all()
