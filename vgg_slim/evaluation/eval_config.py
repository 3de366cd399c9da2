"""What an evaluation is asked for. No TensorFlow."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.evaluation import views

AVERAGES = ('probabilities', 'logits')


@dataclasses.dataclass(frozen=True)
class EvalConfig:
  """Which pictures are scored, in which views, and how these are averaged (arXiv:1409.1556, 3.2).

  Attributes:
    test_scales: smaller sides Q, in pixels.
    views: names of `views.VIEWS`, or several joined by '+' for their average.
    split: name of the split.
    flip: whether the mirror image of every view is averaged in.
    average: 'probabilities', as in the paper, or 'logits'.
    use_averages: whether the moving averages take the place of the variables where a checkpoint has
      them.
    pool_rounding: see `nets.mode.Inference`.
    batch_size: at most so many crops in a batch, or as many pixels of whole pictures.
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
