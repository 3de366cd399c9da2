"""What a run is made of, as frozen dataclasses that check themselves. No TensorFlow.

The defaults here are the defaults of the flags (`tools/config_flags.py`). A `TrainConfig` is
written to `train_dir/config.json` before step 0 and read back by every later command, so that
network and preprocessing cannot disagree with training.
"""

import dataclasses
import json
import math
import pathlib
from typing import Any

from vgg_slim import files
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.errors import CheckpointError, ConfigError

CONFIG_FILE = 'config.json'
DECAY_TYPES = ('fixed', 'exponential')
INITIALIZERS = ('he', 'glorot', 'normal')


class _Checks:
  """Collects what is wrong with a config, to raise all of it at once."""

  def __init__(self, config: Any):
    self._config = config
    self._problems: list[str] = []

  def require(self, ok: bool, field: str, allowed: str) -> None:
    if not ok:
      self._problems.append(f'{field} must be {allowed}, got {getattr(self._config, field)!r}')

  def raise_all(self) -> None:
    if self._problems:
      raise ConfigError('; '.join(self._problems) + '.')


@dataclasses.dataclass(frozen=True)
class NetConfig:
  """The network; names are those of `nets.specs`, `nets.head_specs` and `ops.initializers`.

  Attributes:
    num_classes: K.
    model: name of the network.
    head: name of the head; None for the network's own.
    image_size: side, in pixels, at which the class score map is 1x1.
    fc_units: units of the hidden layers whose head leaves them open.
    dropout_keep_prob: of the head's units.
    initializer: of all weights.
  """

  num_classes: int
  model: str = 'vgg16'
  head: str | None = None
  image_size: int = IMAGE_SIDE
  fc_units: int = 4096
  dropout_keep_prob: float = 0.5
  initializer: str = 'glorot'

  def __post_init__(self):
    checks = _Checks(self)
    checks.require(self.num_classes >= 2, 'num_classes', 'at least 2')
    checks.require(self.fc_units >= 1, 'fc_units', 'at least 1')
    checks.require(0 < self.dropout_keep_prob <= 1, 'dropout_keep_prob', 'in (0, 1]')
    checks.require(self.initializer in INITIALIZERS, 'initializer', f'one of {INITIALIZERS}')
    checks.raise_all()


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig:
  """How a picture becomes what the network is fed: (RGB 0..255 - rgb_mean) * pixel_scale.

  Attributes:
    rgb_mean: mean of the training split, R, G, B, 0..255.
    pixel_scale: factor after the mean is subtracted; 1 in the paper.
    train_scale_min: the smallest side S is drawn from [min, max] pixels (paper, 3.1).
    train_scale_max: equal to `train_scale_min` for single-scale training.
    random_flip: whether half of the training pictures are mirrored left to right.
  """

  rgb_mean: tuple[float, float, float]
  pixel_scale: float = 1.0
  train_scale_min: int = 256
  train_scale_max: int = 256
  random_flip: bool = True

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    checks = _Checks(self)
    mean_ok = len(self.rgb_mean) == 3 and all(0 <= m <= 255 for m in self.rgb_mean)
    checks.require(mean_ok, 'rgb_mean', 'three numbers in [0, 255]')
    checks.require(self.pixel_scale > 0, 'pixel_scale', 'positive')
    checks.require(self.train_scale_min >= 1, 'train_scale_min', 'at least 1')
    in_order = self.train_scale_min <= self.train_scale_max
    checks.require(in_order, 'train_scale_max', f'at least train_scale_min={self.train_scale_min}')
    checks.raise_all()

  @property
  def test_scale(self) -> int:
    """The paper's Q for this S: S itself, or the middle of the range (4.1)."""
    return (self.train_scale_min + self.train_scale_max) // 2


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Momentum SGD with staircase exponential decay; weight decay as in the paper, 3.1.

  Attributes:
    weight_decay: multiplies sum(w**2) / 2 of the weights; biases and batch norm are left out.
    epochs_per_decay: epochs between two multiplications by `learning_rate_decay_factor`.
  """

  learning_rate: float = 0.004
  learning_rate_decay_type: str = 'exponential'
  learning_rate_decay_factor: float = 0.1
  epochs_per_decay: float = 8.0
  momentum: float = 0.9
  weight_decay: float = 5e-4

  def __post_init__(self):
    checks = _Checks(self)
    checks.require(self.learning_rate > 0, 'learning_rate', 'positive')
    decay_ok = self.learning_rate_decay_type in DECAY_TYPES
    checks.require(decay_ok, 'learning_rate_decay_type', f'one of {DECAY_TYPES}')
    factor_ok = 0 < self.learning_rate_decay_factor <= 1
    checks.require(factor_ok, 'learning_rate_decay_factor', 'in (0, 1]')
    checks.require(self.epochs_per_decay > 0, 'epochs_per_decay', 'positive')
    checks.require(0 <= self.momentum < 1, 'momentum', 'in [0, 1)')
    checks.require(self.weight_decay >= 0, 'weight_decay', 'at least 0')
    checks.raise_all()


@dataclasses.dataclass(frozen=True)
class FineTuneConfig:
  """What a new run takes from a checkpoint, and what it trains; scopes such as 'vgg_16/fc8'.

  Attributes:
    checkpoint_path: prefix of a checkpoint, or None to start from the initialiser. A run that is
      resumed takes its own checkpoint instead.
    checkpoint_exclude_scopes: what is left at its initial value.
    new_head: excludes the last layer, for other classes.
    from_net_a: takes the paper's pre-initialisation out of a checkpoint of configuration A.
    ignore_missing_vars: whether what the checkpoint lacks may stay at its initial value.
    trainable_scopes: what is trained; the rest is frozen, batch-norm statistics too. Empty for all.
  """

  checkpoint_path: str | None = None
  checkpoint_exclude_scopes: tuple[str, ...] = ()
  new_head: bool = False
  from_net_a: bool = False
  ignore_missing_vars: bool = False
  trainable_scopes: tuple[str, ...] = ()

  def __post_init__(self):
    for name in ('checkpoint_exclude_scopes', 'trainable_scopes'):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    given = [
      name
      for name in ('checkpoint_exclude_scopes', 'new_head', 'from_net_a', 'ignore_missing_vars')
      if getattr(self, name)
    ]
    if given and self.checkpoint_path is None:
      raise ConfigError(f'{", ".join(given)}: of no use without checkpoint_path.')


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """How long, how often, from which seed.

  Attributes:
    epochs: passes over the training split; ignored when `max_steps` is given.
    max_steps: last global step, or None.
    log_every_steps: steps between two progress lines and scalar summaries.
    save_every_steps: steps between two checkpoints, besides the one after every epoch.
    image_summary_every_steps: steps between two picture summaries; 0 for none.
    keep_checkpoints: how many checkpoints are kept.
  """

  batch_size: int = 32
  epochs: float = 11.0
  max_steps: int | None = None
  seed: int = 0
  log_every_steps: int = 10
  save_every_steps: int = 1000
  image_summary_every_steps: int = 500
  keep_checkpoints: int = 3

  def __post_init__(self):
    checks = _Checks(self)
    checks.require(self.batch_size >= 1, 'batch_size', 'at least 1')
    checks.require(self.epochs > 0, 'epochs', 'positive')
    checks.require(self.max_steps is None or self.max_steps >= 1, 'max_steps', 'at least 1')
    checks.require(0 <= self.seed < 2**31, 'seed', 'in [0, 2**31)')
    checks.require(self.log_every_steps >= 1, 'log_every_steps', 'at least 1')
    checks.require(self.save_every_steps >= 1, 'save_every_steps', 'at least 1')
    images_ok = self.image_summary_every_steps >= 0
    checks.require(images_ok, 'image_summary_every_steps', 'at least 0')
    checks.require(self.keep_checkpoints >= 1, 'keep_checkpoints', 'at least 1')
    checks.raise_all()

  def total_steps(self, num_examples: int) -> int:
    """The global step at which training ends."""
    if self.max_steps is not None:
      return self.max_steps
    return max(1, math.ceil(self.epochs * num_examples / self.batch_size))


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """A whole training run; `train_dir/config.json` is its JSON.

  Attributes:
    data_dir: absolute path of the converted data set.
    data_fingerprint: `Manifest.fingerprint` of the data set at step 0.
    class_names: in the order of the labels.
  """

  net: NetConfig
  preprocessing: PreprocessingConfig
  optimizer: OptimizerConfig
  run: RunConfig
  fine_tune: FineTuneConfig
  data_dir: str
  data_fingerprint: str
  class_names: tuple[str, ...]

  def __post_init__(self):
    object.__setattr__(self, 'class_names', tuple(self.class_names))
    side, scale = self.net.image_size, self.preprocessing.train_scale_min
    if scale < side:
      raise ConfigError(
        f'train_scale_min={scale} is smaller than image_size={side}: no crop of {side} pixels fits.'
      )
    if self.net.num_classes != len(self.class_names):
      raise ConfigError(
        f'num_classes={self.net.num_classes}, but there are {len(self.class_names)} class names.'
      )

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self), indent=2) + '\n'

  @classmethod
  def from_json(cls, text: str) -> 'TrainConfig':
    """Inverse of `to_json`.

    Raises:
      ConfigError: not JSON, or fields that are missing or unknown; all are named.
    """
    try:
      values = json.loads(text)
    except json.JSONDecodeError as error:
      raise ConfigError(f'not JSON: {error}') from error
    check_fields(values, cls, 'the top level')
    for section, section_class in _SECTIONS.items():
      check_fields(values[section], section_class, repr(section))
      values[section] = section_class(**values[section])
    return cls(**values)


_SECTIONS = {
  'net': NetConfig,
  'preprocessing': PreprocessingConfig,
  'optimizer': OptimizerConfig,
  'run': RunConfig,
  'fine_tune': FineTuneConfig,
}

# A run may go on with other values of these; all else would make another network or another
# order of the pictures under the same name.
_FREE_TO_CHANGE = {
  'data_dir',
  'optimizer',
  'run.epochs',
  'run.max_steps',
  'run.log_every_steps',
  'run.save_every_steps',
  'run.image_summary_every_steps',
  'run.keep_checkpoints',
}


def check_fields(values: Any, config_class: type, where: str) -> None:
  """Raises ConfigError unless `values` is a JSON object with the fields of a dataclass; lists all.

  Args:
    values: out of a JSON file.
    config_class: the dataclass.
    where: the place in the file, for the message.
  """
  if not isinstance(values, dict):
    raise ConfigError(f'{where} must be an object, got {type(values).__name__}.')
  expected = {field.name for field in dataclasses.fields(config_class)}
  if expected != set(values):
    missing, unknown = sorted(expected - set(values)), sorted(set(values) - expected)
    raise ConfigError(f'{where}: missing {missing}, unknown {unknown}.')


def check_can_resume(saved: TrainConfig, wanted: TrainConfig, train_dir: str) -> None:
  """Raises CheckpointError that lists every difference with which a run cannot go on."""
  before, after = _flatten(saved), _flatten(wanted)
  clashes = [
    f'{name} was {before[name]!r}, now {after[name]!r}'
    for name in before
    if before[name] != after[name]
    and name not in _FREE_TO_CHANGE
    and name.split('.')[0] not in _FREE_TO_CHANGE
  ]
  if clashes:
    raise CheckpointError(
      f'{train_dir} holds another run: {"; ".join(clashes)}. '
      'Give the same flags to resume it, or another --train_dir.'
    )


def _flatten(config: TrainConfig) -> dict[str, Any]:
  flat = {}
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if dataclasses.is_dataclass(value):
      flat.update({f'{field.name}.{k}': v for k, v in dataclasses.asdict(value).items()})
    else:
      flat[field.name] = value
  return flat


def read_train_config(train_dir: str) -> TrainConfig:
  """Reads `train_dir/config.json`.

  Raises:
    CheckpointError: there is none, or it cannot be read; names the file.
  """
  path = pathlib.Path(train_dir, CONFIG_FILE)
  if not path.is_file():
    raise CheckpointError(f'{train_dir} is no train_dir: it has no {CONFIG_FILE}.')
  try:
    return TrainConfig.from_json(path.read_text(encoding='utf-8'))
  except (ConfigError, UnicodeDecodeError) as error:
    raise CheckpointError(f'{path}: {error}') from error


def write_train_config(train_dir: str, config: TrainConfig) -> None:
  """Writes `train_dir/config.json`; a killed run leaves the old file or the new one, whole."""
  files.write_text(pathlib.Path(train_dir, CONFIG_FILE), config.to_json())
