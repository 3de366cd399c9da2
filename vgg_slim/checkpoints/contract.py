"""The contract beside a checkpoint: its network, and the input that the network expects.

`CHECKPOINT.json` accompanies every checkpoint, imported or trained. Later commands read network,
classes, image size, mean and scale from it, so users neither have to repeat them nor can get them
wrong. No TensorFlow.

    prefix, contract = load_contract('runs/photos')
"""

import contextlib
import dataclasses
import json
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import vgg_slim
from vgg_slim import files, json_objects
from vgg_slim.checkpoints import prefixes
from vgg_slim.configs import config
from vgg_slim.configs.checks import check_names
from vgg_slim.configs.net import Network
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.preprocessing import description, test_scales
from vgg_slim.preprocessing.description import Preprocessing
from vgg_slim.wording import counted, listed

FORMAT_VERSION = 1
EXPORTED_FILE = 'contract.json'  # in the folder of an export
ONNX_FILE = 'model.onnx'  # in that of an ONNX export
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
    network: identity of the network.
    preprocessing: what images go through before the network.
    class_names: names of the classes in the order of the labels, or None if they are unknown.
    source: the imported file; None for a checkpoint of a training run.
    random_flip: whether training mirrored images, which `evaluation` does by default, too; true
      where nothing records it.
    channel_order: always CHANNEL_ORDER.
    model_sha256: hash of the model of an export, see `exported`; None for a checkpoint, and for
      exports of versions that recorded none.
    vgg_slim_version: version of vgg_slim that wrote the checkpoint.
    format_version: version of the format of the file.
  """

  network: Network
  preprocessing: Preprocessing
  class_names: tuple[str, ...] | None = None
  source: Source | None = None
  random_flip: bool = True
  channel_order: str = CHANNEL_ORDER
  model_sha256: str | None = None
  vgg_slim_version: str = vgg_slim.__version__
  format_version: int = FORMAT_VERSION

  def __post_init__(self):
    if self.class_names is not None:
      object.__setattr__(self, 'class_names', tuple(self.class_names))
    _check(
      _problems(self.class_names, self.network.num_classes, self.channel_order, self.random_flip)
    )


def _problems(
  class_names: Sequence[str] | None,
  num_classes: int | None,
  channel_order: str = CHANNEL_ORDER,
  random_flip: bool = True,
) -> list[str]:
  problems = []
  if not isinstance(random_flip, bool):
    problems.append(f'random_flip must be true or false, got {random_flip!r}')
  if channel_order != CHANNEL_ORDER:
    problems.append(f'channel_order must be {CHANNEL_ORDER!r}, got {channel_order!r}')
  if class_names is not None and len(class_names) != num_classes:
    problems.append(
      f'class_names has {counted(len(class_names), "name")} for num_classes={num_classes}'
    )
  return problems


def _check(problems: Sequence[str]) -> None:
  if problems:
    raise ConfigError(f'{"; ".join(problems)}.')


# The file is flat: it holds the fields of these parts beside those of the contract itself.
_PARTS: dict[str, type] = {'network': Network, 'preprocessing': Preprocessing}
# Values of fields that the file lacks, besides those of the parts.
_DEFAULTS = {'rgb_mean': IMAGENET_RGB_MEAN, 'pixel_scale': 1.0}
# Fields of the preprocessing that weights depend on, unlike those of the resizing.
_PIXEL_VALUES = ('rgb_mean', 'pixel_scale', 'per_image_standardization')
_NEEDED = {'model', 'num_classes', 'image_size', 'fc_units'}  # every version has written these


def net_config(contract: Contract) -> config.NetConfig:
  """Config of the network, for a checkpoint with a head; see `registry.build_from_config`."""
  return config.NetConfig(**dataclasses.asdict(contract.network))


def from_train_config(trained: config.TrainConfig) -> Contract:
  """The contract that all checkpoints of a training run share."""
  return Contract(
    trained.net.network,
    trained.evaluation_preprocessing,
    trained.class_names,
    random_flip=trained.preprocessing.random_flip,
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
    raise prefixes.absence(path)
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
      contract = read_contract(path)
      return _with_flips_of(folder, contract) if has_run_config else contract
    _logger.warning('%s Using %s of the run instead.', damage, config.CONFIG_FILE)
  if has_run_config:
    return from_train_config(config.read_train_config(str(folder)))
  return None


def _with_flips_of(folder: pathlib.Path, contract: Contract) -> Contract:
  """Returns a contract of a run with the `random_flip` that the run has, if that can be read.

  Contracts of versions up to 0.2 do not have it, which reads as true.
  """
  if contract.source is not None or not contract.random_flip:
    return contract
  with contextlib.suppress(CheckpointError, OSError):
    trained = config.read_train_config(str(folder))
    return dataclasses.replace(contract, random_flip=trained.preprocessing.random_flip)
  return contract


def find_damage(path: pathlib.Path) -> str | None:
  """Returns the reason why the contract at `path` cannot be read, or None if it can."""
  try:
    read_contract(path)
  except CheckpointError as error:
    return str(error)
  return None


def check_preprocessing(
  contract: Contract, rules: description.HasPixelRules, checkpoint: str
) -> None:
  """Raises CheckpointError if the checkpoint was fed other pixel values; lists what differs."""
  theirs = contract.preprocessing
  differences = [
    f'{name} {getattr(theirs, name)}, here {getattr(rules, name)}'
    for name in _PIXEL_VALUES
    if getattr(theirs, name) != getattr(rules, name)
  ]
  if differences:
    raise CheckpointError(f'{checkpoint} expects other pixel values: {"; ".join(differences)}.')


def check_class_names(
  contract: Contract, class_names: Sequence[str], checkpoint: str, hint: str = ''
) -> None:
  """Raises CheckpointError if the checkpoint's classes, or their order, differ.

  Args:
    contract: contract of the checkpoint; one without class names agrees with any.
    class_names: expected names of the classes, in the order of the labels. ImageNet's may be words,
      synsets or lines of a list of both.
    checkpoint: prefix of the checkpoint, for the message.
    hint: advice on what to do, appended to the message.
  """
  if contract.class_names is None:
    return
  theirs, ours = map(imagenet_classes.canonical, (contract.class_names, class_names))
  if theirs == ours:
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
  raise CheckpointError(
    f'{checkpoint} {problem}: {listed(different, _SHOWN, "; ")}. {hint}'.strip()
  )


def to_json(contract: Contract) -> str:
  """Returns the contract as a flat JSON object; a trunk has no `fc_units`.

  `model_sha256` is only there if it is not None, and `random_flip` if it is false, so that earlier
  versions read what they can.
  """
  values = dataclasses.asdict(contract)
  flat = {'format_version': values.pop('format_version')}
  for name, value in values.items():
    flat.update(value if name in _PARTS else {name: value})
  if contract.network.is_trunk:
    flat['fc_units'] = None
  if contract.model_sha256 is None:
    del flat['model_sha256']
  if contract.random_flip:
    del flat['random_flip']
  return json.dumps(flat, indent=2) + '\n'


def from_values(values: Mapping[str, Any]) -> Contract:
  """Inverse of `to_json`, from the values of the JSON object.

  Raises:
    ConfigError: fields are missing or unknown, or values are invalid; all of these are listed.
  """
  names = {part: {f.name for f in dataclasses.fields(_PARTS[part])} for part in _PARTS}
  own = {f.name for f in dataclasses.fields(Contract)} - _PARTS.keys()
  check_names(values, 'contract', _NEEDED, own.union(*names.values()))
  given = {**_DEFAULTS, **values}
  if given['fc_units'] is None:
    del given['fc_units']
  if given.get('test_scale') is None:
    given['test_scale'] = test_scales.default(given['image_size'])
  own_values = {name: given[name] for name in own & given.keys()}
  parts: dict[str, Any] = {}
  problems: list[str] = []
  for part, part_class in _PARTS.items():
    try:
      parts[part] = part_class(**{name: given[name] for name in names[part] & given.keys()})
    except ConfigError as error:
      problems.append(str(error).removesuffix('.'))
  if problems:
    optional = {name: given[name] for name in ('channel_order', 'random_flip') if name in given}
    _check(problems + _problems(given.get('class_names'), given['num_classes'], **optional))
  return Contract(**parts, **own_values)


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
    values = json_objects.read(path)
  except (OSError, ValueError) as error:
    problem = error.strerror if isinstance(error, OSError) else error
    raise CheckpointError(
      f'{path} cannot be read as the contract of a checkpoint: {problem}'
    ) from error
  version = values.get('format_version')
  if version != FORMAT_VERSION:
    raise CheckpointError(f'{path}: expected format_version {FORMAT_VERSION}, got {version!r}.')
  try:
    source = values.get('source')
    if source is not None:
      config.check_fields(source, Source, 'source')
      values = {**values, 'source': Source(**source)}
    return from_values(_upgrade(values))
  except (ConfigError, TypeError) as error:
    raise CheckpointError(f'{path}: {error}') from error


def _upgrade(values: dict[str, Any]) -> dict[str, Any]:
  """Completes a contract of vgg_slim 0.1, whose test scale differs from the evaluated one."""
  if 'resize_filter' in values:
    return values
  upgraded = {**values, 'resize_filter': description.FILTER_OF_0_1}
  if values.get('test_scale') is not None and 'image_size' in values:
    upgraded['test_scale'] = test_scales.round_down(values['test_scale'], values['image_size'])
  return upgraded
