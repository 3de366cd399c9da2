"""Where a new run starts from."""

import dataclasses

from vgg_slim.configs.fields import REFUSED, kept, setting
from vgg_slim.errors import ConfigError

_NEED_A_CHECKPOINT = (
  'checkpoint_exclude_scopes',
  'new_head',
  'from_net_a',
  'ignore_missing_vars',
  'ignore_class_names',
)

_KEPT = kept('a run that is resumed goes on from its own checkpoint')


@dataclasses.dataclass(frozen=True)
class FineTuneConfig:
  """What a new run takes from a checkpoint, and what it trains; scopes such as 'vgg_16/fc8'.

  Attributes:
    checkpoint_path: prefix of a checkpoint, or None to start from the initialiser. A run that is
      resumed takes its own checkpoint instead.
    checkpoint_exclude_scopes: what is left at its initial value.
    new_head: excludes the last layer, for other classes, and head layers that a trunk alone lacks.
    from_net_a: takes the paper's pre-initialisation out of a checkpoint of configuration A.
    ignore_missing_vars: whether what the checkpoint lacks may stay at its initial value.
    ignore_class_names: whether the classes may be called otherwise than those of the checkpoint,
      whose last layer is kept.
    trainable_scopes: what is trained; the rest is frozen, batch-norm statistics too. Empty for all.
  """

  checkpoint_path: str | None = setting(None, resume=_KEPT)
  checkpoint_exclude_scopes: tuple[str, ...] = setting((), resume=REFUSED)
  new_head: bool = setting(False, resume=REFUSED)
  from_net_a: bool = setting(False, resume=REFUSED)
  ignore_missing_vars: bool = setting(False, resume=REFUSED)
  ignore_class_names: bool = setting(False, resume=REFUSED)
  trainable_scopes: tuple[str, ...] = setting((), resume=REFUSED)

  def __post_init__(self):
    for name in ('checkpoint_exclude_scopes', 'trainable_scopes'):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    given = [name for name in _NEED_A_CHECKPOINT if getattr(self, name)]
    if given and self.checkpoint_path is None:
      raise ConfigError(f'{", ".join(given)}: of no use without checkpoint_path.')
