"""Where a new run starts from."""

import dataclasses
import functools

from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, kept, setting

_NEED_A_CHECKPOINT = (
  'checkpoint_exclude_scopes',
  'new_head',
  'from_net_a',
  'ignore_missing_vars',
  'ignore_class_names',
)

_KEPT = kept('a resumed run continues from its own checkpoint')
_setting = functools.partial(setting, heading='Fine-tuning')


@dataclasses.dataclass(frozen=True)
class FineTuneConfig(Config):
  """What a new run restores from a checkpoint, and what it trains.

  Scopes are prefixes of variable names, such as 'vgg_16/fc8'. What is not trained is frozen,
  including the statistics of batch norm.
  """

  checkpoint_path: str | None = _setting(
    None,
    help='Checkpoint to start a new run from: its prefix, or a train_dir, whose newest one is '
    'used. A resumed run uses its own checkpoint.',
    resume=_KEPT,
  )
  weights: str | None = _setting(
    None,
    help='Published weights to start a new run from, instead of --checkpoint_path: imagenet for '
    'those of the network, a name that tools/weights lists, or a file. They are downloaded once. '
    'The trunk starts from them, and with 1,000 classes or --new_head the head as well.',
    resume=_KEPT,
  )
  checkpoint_exclude_scopes: tuple[str, ...] = _setting(
    (),
    help='Comma-separated scopes that are not restored from --checkpoint_path, such as '
    'vgg_16/fc7,vgg_16/fc8, or head for the whole head.',
    resume=REFUSED,
  )
  new_head: bool = _setting(
    False,
    help='Restore everything except the last layer, to train on other classes; a checkpoint that '
    'holds only a trunk is restored completely.',
    resume=REFUSED,
  )
  from_net_a: bool = _setting(
    False,
    help='The checkpoint holds vgg_a: restore its first four convolutions and its fully-connected '
    'layers, which is how the paper initializes its deeper networks.',
    resume=REFUSED,
  )
  ignore_missing_vars: bool = _setting(
    False,
    help='Leave variables that are missing from the checkpoint at their initial values.',
    resume=REFUSED,
  )
  ignore_class_names: bool = _setting(
    False,
    help='Restore the last layer although the class names of the checkpoint differ.',
    resume=REFUSED,
  )
  trainable_scopes: tuple[str, ...] = _setting(
    (),
    help='Comma-separated scopes to train, or head; all other layers are frozen. Defaults to all.',
    resume=REFUSED,
  )

  def _check_together(self, checks: Checks) -> None:
    given = [name for name in _NEED_A_CHECKPOINT if getattr(self, name)]
    if given and self.checkpoint_path is None:
      checks.add([f'{", ".join(given)}: no effect without checkpoint_path'])
