"""Length of a run, and how often it reports, saves and validates."""

import dataclasses
import functools
import math
from collections.abc import Sequence

from vgg_slim.configs.allowed import Allowed, at_least, between, one_of
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import FREE, REFUSED, free, resets, setting
from vgg_slim.configs.kinds import users
from vgg_slim.configs.schedule import SCHEDULES

# In the order of their numbers in checkpoints.
BEST_METRICS = ('accuracy', 'loss', 'balanced_accuracy', 'macro_f1')

BALANCED_TWICE = (
  'class_weights and balanced_batches both make up for classes of different size, and together '
  'would do so twice; choose one'
)

_LENGTH = free(
  f'the run ends there, and so do {users(SCHEDULES, "schedule_epochs")} unless schedule_epochs is '
  'set'
)
_OLDER = free('older checkpoints are removed when the next one is saved')
_BEST = free('it takes effect at the next validation')
_COMPARISON = resets(
  *('best', 'early_stop', 'plateau'),
  effect='epochs are compared by this metric from this step on',
)
_setting = functools.partial(setting, heading='Run')


def _are_profile_steps(steps: Sequence[int]) -> bool:
  return not steps or (len(steps) == 2 and 1 <= steps[0] <= steps[1])


@dataclasses.dataclass(frozen=True)
class RunConfig(Config):
  """Length, random seed, and the intervals of logging, checkpoints and summaries."""

  batch_size: int = _setting(
    32, help='Number of images per step.', allowed=at_least(1), resume=REFUSED
  )
  epochs: float = _setting(
    14.0,
    help='Number of passes over the training split; the paper has 74 over ImageNet.',
    allowed=between('(0, 10**9]'),
    resume=_LENGTH,
  )
  max_steps: int | None = _setting(
    None, help='Last step of the run; overrides --epochs.', allowed=at_least(1), resume=_LENGTH
  )
  seed: int = _setting(
    0,
    help='Random seed for weight initialization, shuffling, augmentation and dropout.',
    allowed=between('[0, 2**31)'),
    resume=REFUSED,
  )
  balanced_batches: bool = _setting(
    False,
    help='Draw images so that all classes come equally often. An epoch keeps its number of images: '
    'those of small classes come several times in it, each time in another random window, and some '
    'of those of large classes come only in the next.',
    resume=free('the images come in the other order from this step on'),
  )
  log_every_steps: int = _setting(
    10, help='Number of steps between two progress lines.', allowed=at_least(1), resume=FREE
  )
  validate_every_epochs: int = _setting(
    1,
    help='Number of epochs after which the run saves a checkpoint, validates and adds a row to '
    'metrics.csv.',
    allowed=at_least(1),
    resume=REFUSED,
  )
  save_every_steps: int = _setting(
    1000,
    help='Number of steps between two checkpoints, in addition to one after each validation.',
    allowed=at_least(1),
    resume=FREE,
  )
  image_summary_every_steps: int = _setting(
    500,
    help='Number of steps between two summaries of images and first-layer filters in TensorBoard; '
    '0 for none, and none of the errors in validation either.',
    allowed=at_least(0),
    resume=FREE,
  )
  histogram_every_steps: int = _setting(
    0,
    help='Number of steps between two histograms of weights, gradients and activations; 0 for '
    'none.',
    allowed=at_least(0),
    resume=FREE,
  )
  profile_steps: tuple[int, ...] = _setting(
    (),
    help='First and last step to profile, such as 100,102. The times of all operations are written '
    'to TRAIN_DIR/profile/step-100.json, for chrome://tracing and ui.perfetto.dev.',
    allowed=Allowed('the first step, at least 1, and the last', _are_profile_steps),
    resume=FREE,
  )
  keep_checkpoints: int = _setting(
    3,
    help='Number of checkpoints to keep; older ones are removed.',
    allowed=at_least(1),
    resume=_OLDER,
  )
  keep_best: bool = _setting(
    False,
    help='Also keep the checkpoint of the best epoch, in TRAIN_DIR/best, which is itself a '
    'train_dir.',
    resume=_BEST,
  )
  best_metric: str = _setting(
    'accuracy',
    help='Validation metric that decides whether an epoch is better, for --keep_best, early '
    'stopping and plateau. Where some classes have many more images than others, accuracy hardly '
    'depends on the smaller ones; balanced_accuracy, the mean recall of the classes, and macro_f1 '
    'give all classes the same weight.',
    allowed=one_of(BEST_METRICS),
    resume=_COMPARISON,
  )
  early_stop_patience: int | None = _setting(
    None,
    help='Number of epochs without improvement after which the run ends. By default it does not '
    'end early.',
    allowed=at_least(1),
    resume=FREE,
  )
  early_stop_min_delta: float = _setting(
    0.0,
    help='Smallest improvement that early stopping counts.',
    allowed=at_least(0),
    resume=FREE,
  )
  alarm_steps: int = _setting(
    200,
    help='Number of steps after which a loss that stays at that of guessing causes a warning, and '
    'between two checks for dead units; 0 for no warnings.',
    allowed=at_least(0),
    resume=FREE,
  )

  def total_steps(self, num_examples: int) -> int:
    """The global step at which training ends."""
    if self.max_steps is not None:
      return self.max_steps
    return max(1, math.ceil(self.epochs * num_examples / self.batch_size))

  def logs(self, step: int, total_steps: int) -> bool:
    """Whether the run of that length records the values of a step."""
    return step % self.log_every_steps == 0 or step == total_steps
