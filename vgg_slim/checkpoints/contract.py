"""The contract beside a checkpoint: its network, and the input that the network expects.

`CHECKPOINT.json` accompanies every checkpoint, imported or trained. Later commands read network,
classes, image size, mean and scale from it, so users neither have to repeat them nor can get them
wrong. No TensorFlow.

    prefix, contract = load_contract('runs/photos')
"""

import dataclasses
import json
import logging
import pathlib
from collections.abc import Sequence
from typing import Any

import vgg_slim
from vgg_slim import files
from vgg_slim.checkpoints import prefixes
from vgg_slim.configs import config
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.preprocessing import description, test_scales
from vgg_slim.preprocessing.description import Preprocessing

FORMAT_VERSION = 1
EXPORTED_FILE = 'contract.json'  # in the folder of an export
SAVED_MODEL_EXTRAS = 'assets.extra'  # its folder in a SavedModel, which TensorFlow Serving ignores
CHANNEL_ORDER = 'RGB'  # the only one: weights trained on BGR are converted on import
_SHOWN = 4  # number of differing classes in a message

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Source:
  """The file that the weights were imported from.

  Attributes:
    file: name of the file, without its folder.
    format: name of the format, such as 'Keras .weights.h5'.
    sha256: hash of the file, in hexadecimal; for a checkpoint, of all its files in order of name.
  """

  file: str
  format: str
  sha256: str


@dataclasses.dataclass(frozen=True)
class Contract:
  """The network of a checkpoint, its input and its classes.

  Attributes:
    model: one of `nets.specs.MODEL_NAMES`.
    num_classes: number of classes K; None for a trunk, whose checkpoint has no head.
    image_size: side, in pixels, at which the class score map is 1x1.
    fc_units: number of hidden units of the head; None for a trunk.
    source: the imported file; None for a checkpoint of a training run.
    rgb_mean: mean of R, G and B, 0..255; the network takes (RGB - rgb_mean) * pixel_scale.
    pixel_scale: one number, or one each for R, G, B; 1 in the VGG paper.
    channel_order: always CHANNEL_ORDER.
    class_names: names of the classes in the order of the labels, or None if they are unknown.
    vgg_slim_version: version of vgg_slim that wrote the checkpoint.
    format_version: version of the format of this file.
    head: name of a head in `nets.head_specs.HEADS`; None for the network's own head.
    classifier_activation: one of `config.CLASSIFIER_ACTIVATIONS`.
    test_scale: see `description.Preprocessing`; defaults to `test_scales.default`.
    resize_filter: see `description.Preprocessing`.
    stored_side: see `description.Preprocessing`.
    background: see `description.Preprocessing`.
    orientation: see `description.Preprocessing`.
  """

  model: str
  num_classes: int | None
  image_size: int
  fc_units: int | None
  source: Source | None = None
  rgb_mean: tuple[float, float, float] = IMAGENET_RGB_MEAN
  pixel_scale: float | tuple[float, float, float] = 1.0
  channel_order: str = CHANNEL_ORDER
  class_names: tuple[str, ...] | None = None
  vgg_slim_version: str = vgg_slim.__version__
  format_version: int = FORMAT_VERSION
  head: str | None = None
  classifier_activation: str = 'softmax'
  test_scale: int | None = None
  resize_filter: str = description.ANTIALIASED
  stored_side: int | None = None
  background: str = description.BACKGROUND
  orientation: str = description.ORIENTATION

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    if isinstance(self.pixel_scale, list):
      object.__setattr__(self, 'pixel_scale', tuple(self.pixel_scale))
    if self.class_names is not None:
      object.__setattr__(self, 'class_names', tuple(self.class_names))
    if self.test_scale is None:
      object.__setattr__(self, 'test_scale', test_scales.default(self.image_size))
    problems = list(self._problems())
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')

  def _problems(self) -> list[str]:
    problems = self.preprocessing.problems()
    if self.channel_order != CHANNEL_ORDER:
      problems.append(f'channel_order must be {CHANNEL_ORDER!r}, got {self.channel_order!r}')
    if self.class_names is not None and len(self.class_names) != self.num_classes:
      problems.append(
        f'there are {len(self.class_names)} class names for num_classes={self.num_classes}'
      )
    if self.num_classes is not None and self.num_classes < 2:
      problems.append(f'num_classes must be at least 2, got {self.num_classes}')
    if self.classifier_activation not in config.CLASSIFIER_ACTIVATIONS:
      problems.append(
        f'classifier_activation must be one of {config.CLASSIFIER_ACTIVATIONS}, got '
        f'{self.classifier_activation!r}'
      )
    if self.classifier_activation == 'sigmoid' and self.num_classes != 2:
      problems.append(f'a sigmoid requires num_classes=2, got {self.num_classes}')
    return problems

  @property
  def preprocessing(self) -> Preprocessing:
    """Description of the preprocessing that images go through before the network."""
    fields = dataclasses.fields(Preprocessing)
    return Preprocessing(**{field.name: getattr(self, field.name) for field in fields})

  @property
  def num_logits(self) -> int | None:
    """Number of channels of the class score map; 1 for a sigmoid, None for a trunk."""
    return 1 if self.classifier_activation == 'sigmoid' else self.num_classes


def net_config(contract: Contract) -> config.NetConfig:
  """Config of the network, for a checkpoint with a head; see `registry.build_from_config`."""
  return config.NetConfig(
    num_classes=contract.num_classes,
    model=contract.model,
    head=contract.head,
    image_size=contract.image_size,
    fc_units=contract.fc_units,
    classifier_activation=contract.classifier_activation,
  )


def from_train_config(trained: config.TrainConfig) -> Contract:
  """The contract that all checkpoints of a training run share."""
  net, preprocessing = trained.net, trained.preprocessing
  return Contract(
    model=net.model,
    num_classes=net.num_classes,
    image_size=net.image_size,
    fc_units=net.fc_units,
    rgb_mean=preprocessing.rgb_mean,
    pixel_scale=preprocessing.pixel_scale,
    class_names=trained.class_names,
    head=net.head,
    classifier_activation=net.classifier_activation,
    test_scale=trained.test_scale,
    resize_filter=preprocessing.resize_filter,
    stored_side=preprocessing.stored_side,
  )


def contract_path(checkpoint: str) -> pathlib.Path:
  """Path of the contract beside the checkpoint with this prefix."""
  return pathlib.Path(f'{checkpoint}.json')


def load_contract(path: str) -> tuple[str, Contract]:
  """Finds a checkpoint and its contract.

  Args:
    path: a prefix, one of a checkpoint's files, or a train_dir, which stands for its newest
      checkpoint by name; `checkpoints.find` returns the prefix of the newest intact one.

  Returns:
    The checkpoint's prefix and its contract.

  Raises:
    CheckpointError: there is no checkpoint, or its contract is missing or cannot be read.
  """
  prefix = prefixes.find_prefix(path)
  if prefix is None:
    folder = pathlib.Path(path)
    is_folder = folder.is_dir()
    problem = 'holds no checkpoint' if is_folder else 'is neither a checkpoint nor a folder of one'
    raise CheckpointError(f'{path} {problem}.')
  contract = find_contract(prefix)
  if contract is None:
    raise CheckpointError(
      f'{prefix} has neither {contract_path(prefix).name} nor {config.CONFIG_FILE} beside it, so '
      'its network is unknown; tools/import_weights writes a checkpoint together with its .json.'
    )
  return prefix, contract


def find_contract(prefix: str) -> Contract | None:
  """Returns the contract of a checkpoint: from the file beside it, or from its run's config.json.

  Returns:
    The contract, or None if there is neither of the two files.

  Raises:
    CheckpointError: the contract cannot be read, and no config.json can replace it.
  """
  path = contract_path(prefix)
  folder = path.parent
  has_run_config = (folder / config.CONFIG_FILE).is_file()
  if path.is_file():
    damage = find_damage(path) if has_run_config else None
    if damage is None:
      return read_contract(path)
    _logger.warning('%s Using %s of the run instead.', damage, config.CONFIG_FILE)
  if has_run_config:
    return from_train_config(config.read_train_config(str(folder)))
  return None


def find_damage(path: pathlib.Path) -> str | None:
  """Returns the reason why the contract at `path` cannot be read, or None if it can."""
  try:
    read_contract(path)
  except CheckpointError as error:
    return str(error)
  return None


def check_preprocessing(
  contract: Contract,
  rgb_mean: tuple[float, float, float],
  pixel_scale: float | tuple[float, float, float],
  checkpoint: str,
) -> None:
  """Raises CheckpointError if the checkpoint's mean or scale differs; lists both values."""
  pairs = (
    ('rgb_mean', contract.rgb_mean, rgb_mean),
    ('pixel_scale', contract.pixel_scale, pixel_scale),
  )
  differences = [f'{name} {theirs}, here {ours}' for name, theirs, ours in pairs if theirs != ours]
  if differences:
    raise CheckpointError(f'{checkpoint} expects other pixel values: {"; ".join(differences)}.')


def check_class_names(
  contract: Contract, class_names: Sequence[str], checkpoint: str, hint: str = ''
) -> None:
  """Raises CheckpointError if the checkpoint's classes, or their order, differ.

  Args:
    contract: contract of the checkpoint; one without class names agrees with any.
    class_names: expected names of the classes, in the order of the labels.
    checkpoint: prefix of the checkpoint, for the message.
    hint: advice on what to do, appended to the message.
  """
  theirs, ours = contract.class_names, tuple(class_names)
  if theirs is None or theirs == ours:
    return
  if sorted(theirs) == sorted(ours):
    problem = 'has the same classes in another order'
  else:
    problem = 'has other classes'
  different = [
    f'{i} is {a!r}, here {b!r}'
    for i, (a, b) in enumerate(zip(theirs, ours, strict=False))
    if a != b
  ]
  if len(theirs) != len(ours):
    different.insert(0, f'{len(theirs)} of them, here {len(ours)}')
  more = f' and {len(different) - _SHOWN} more' if len(different) > _SHOWN else ''
  raise CheckpointError(
    f'{checkpoint} {problem}: {"; ".join(different[:_SHOWN])}{more}. {hint}'.strip()
  )


def to_json(contract: Contract) -> str:
  """Returns the contract as a JSON object, `format_version` first, then in the order of fields."""
  values = dataclasses.asdict(contract)
  return json.dumps({'format_version': values.pop('format_version'), **values}, indent=2) + '\n'


def write_contract(path: pathlib.Path, contract: Contract) -> None:
  """Writes `path` atomically: if the process is killed, the file is complete or not there."""
  files.write_text(path, to_json(contract))


def read_contract(path: pathlib.Path) -> Contract:
  """Reads a contract.

  Raises:
    CheckpointError: the file does not exist, is not JSON, has another format version, missing or
      unknown fields, or invalid values.
  """
  try:
    values = json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError) as error:
    raise CheckpointError(
      f'{path} cannot be read as the contract of a checkpoint: {error}'
    ) from error
  version = values.get('format_version') if isinstance(values, dict) else None
  if version != FORMAT_VERSION:
    raise CheckpointError(f'{path}: expected format_version {FORMAT_VERSION}, got {version!r}.')
  try:
    config.check_fields(values, Contract, 'contract', may_lack_defaults=True)
    values = _upgrade(values)
    source = values.get('source')
    if source is not None:
      config.check_fields(source, Source, 'source')
      values = {**values, 'source': Source(**source)}
    return Contract(**values)
  except (ConfigError, TypeError) as error:
    raise CheckpointError(f'{path}: {error}') from error


def _upgrade(values: dict[str, Any]) -> dict[str, Any]:
  """Completes a contract of vgg_slim 0.1, whose test scale differs from the evaluated one."""
  if 'resize_filter' in values:
    return values
  upgraded = {**values, 'resize_filter': description.FILTER_OF_0_1}
  if values.get('test_scale') is not None:
    upgraded['test_scale'] = test_scales.round_down(values['test_scale'], values['image_size'])
  return upgraded
