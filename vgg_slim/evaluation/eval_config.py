"""Configuration of an evaluation. No TensorFlow."""

import dataclasses
import functools

from vgg_slim.configs.allowed import at_least, one_of
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import setting
from vgg_slim.configs.preprocessing import PreprocessingConfig
from vgg_slim.configs.runtime import AUTO, HEADING, INFERENCE_HELP, INFERENCE_PRECISIONS
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import views

AVERAGES = ('probabilities', 'logits')

_setting = functools.partial(setting, heading='Images and views')


def flips_by_default(preprocessing: PreprocessingConfig, manifest: Manifest) -> bool:
  """Whether flips are averaged in by default: training used them, and flipped images are valid.

  The training of an imported network is taken to have used them, unless its contract denies it.
  """
  return preprocessing.random_flip and manifest.mirror_safe


@dataclasses.dataclass(frozen=True)
class EvalConfig(Config):
  """Which images are scored, in which views, and how views are averaged (arXiv:1409.1556, 3.2)."""

  test_scales: tuple[int, ...] = _setting(
    help='Comma-separated smaller sides Q of the resized images, in pixels.', has_flag=False
  )
  views: tuple[str, ...] = _setting(
    (views.WHOLE,),
    help=f'Comma-separated views to score: {", ".join(views.VIEWS)}; views joined by + are '
    'averaged.',
  )
  split: str = _setting('validation', help='Split to score: train, validation or test.')
  flip: bool = _setting(True, help='Also score horizontally flipped images, and average.')
  average: str = _setting(
    AVERAGES[0],
    help='Values that are averaged over the views of an image.',
    allowed=one_of(AVERAGES),
  )
  use_averages: bool = _setting(
    True,
    help='Use the moving averages of the weights where a checkpoint has them.',
    has_flag=False,
  )
  pool_rounding: str = _setting(
    POOL_ROUNDINGS[0],
    help='Rounding of odd sides in the pools of VGG; ceil is the geometry of the paper, whose '
    'networks were trained in Caffe. It makes no difference for images with sides that are '
    'multiples of 32.',
    allowed=one_of(POOL_ROUNDINGS),
  )
  batch_size: int = _setting(
    32,
    help='Largest number of crops per batch; batches of whole images have at most as many pixels.',
    allowed=at_least(1),
  )

  precision: str = setting(
    AUTO,
    help=INFERENCE_HELP,
    allowed=one_of(INFERENCE_PRECISIONS),
    heading=HEADING,
  )

  def _check_together(self, checks: Checks) -> None:
    checks.add(views.problems(self.views))
