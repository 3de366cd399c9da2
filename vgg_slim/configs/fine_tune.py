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

_KEPT = kept('a resumed run continues from its own checkpoint')


@dataclasses.dataclass(frozen=True)
class FineTuneConfig:
  """What a new run restores from a checkpoint, and what it trains.

  Scopes are prefixes of variable names, such as 'vgg_16/fc8'.

  Attributes:
    checkpoint_path: Prefix of a checkpoint, or None to start from initialized weights. A resumed
      run restores its own checkpoint instead.
    checkpoint_exclude_scopes: Scopes that are not restored and keep their initial values.
    new_head: Whether to initialize a new last layer, for other classes, together with any head
      layers that a checkpoint of a trunk lacks.
    from_net_a: Whether to initialize from a checkpoint of configuration A, as the paper does.
    ignore_missing_vars: Whether variables that the checkpoint lacks may keep their initial values.
    ignore_class_names: Whether the last layer is kept although the checkpoint has other names for
      its classes.
    trainable_scopes: Scopes to train; all else is frozen, including batch-norm statistics. Empty to
      train everything.
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
      raise ConfigError(f'{", ".join(given)}: no effect without checkpoint_path.')
