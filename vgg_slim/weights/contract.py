"""The contract beside an imported checkpoint: which network it is of, and what to feed it.

`CHECKPOINT.json` travels with the checkpoint, so that no later command has to be told, or can be
told wrongly, about classes, image size, mean and scale. No TensorFlow.
"""

import dataclasses
import json
import pathlib

import vgg_slim
from vgg_slim import files
from vgg_slim.config import check_fields
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.errors import CheckpointError, ConfigError

FORMAT_VERSION = 1
CHANNEL_ORDER = 'RGB'  # the only one: files trained on BGR are converted when they are imported


@dataclasses.dataclass(frozen=True)
class Source:
  """The file that the weights come from.

  Attributes:
    file: its name without the folder.
    format: such as 'Keras .weights.h5'.
    sha256: of its bytes, in hexadecimal; of all its files' bytes, in the order of their names.
  """

  file: str
  format: str
  sha256: str


@dataclasses.dataclass(frozen=True)
class Contract:
  """What a checkpoint takes and gives.

  Attributes:
    model: a name of `nets.specs.MODEL_NAMES`.
    num_classes: K; None for a trunk, whose checkpoint has no head.
    image_size: side, in pixels, at which the class score map is 1x1.
    fc_units: hidden units of the head; None for a trunk.
    source: the imported file.
    rgb_mean: R, G, B, 0..255; the network is fed (RGB - rgb_mean) * pixel_scale.
    pixel_scale: 1 in the VGG paper.
    channel_order: CHANNEL_ORDER.
    class_names: in the order of the labels, or None where nobody gave them.
    vgg_slim_version: that wrote the checkpoint.
    format_version: of this file.
  """

  model: str
  num_classes: int | None
  image_size: int
  fc_units: int | None
  source: Source
  rgb_mean: tuple[float, float, float] = IMAGENET_RGB_MEAN
  pixel_scale: float = 1.0
  channel_order: str = CHANNEL_ORDER
  class_names: tuple[str, ...] | None = None
  vgg_slim_version: str = vgg_slim.__version__
  format_version: int = FORMAT_VERSION

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    if self.class_names is not None:
      object.__setattr__(self, 'class_names', tuple(self.class_names))
    problems = list(self._problems())
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')

  def _problems(self) -> list[str]:
    problems = []
    if len(self.rgb_mean) != 3 or not all(0 <= m <= 255 for m in self.rgb_mean):
      problems.append(f'rgb_mean must be three numbers in [0, 255], got {self.rgb_mean}')
    if not self.pixel_scale > 0:
      problems.append(f'pixel_scale must be positive, got {self.pixel_scale}')
    if self.channel_order != CHANNEL_ORDER:
      problems.append(f'channel_order must be {CHANNEL_ORDER!r}, got {self.channel_order!r}')
    if self.class_names is not None and len(self.class_names) != self.num_classes:
      problems.append(
        f'there are {len(self.class_names)} class names for num_classes={self.num_classes}'
      )
    return problems


def contract_path(checkpoint: str) -> pathlib.Path:
  """The contract's file beside the checkpoint with this prefix."""
  return pathlib.Path(f'{checkpoint}.json')


def find_contract(checkpoint: str) -> Contract | None:
  """The contract beside a checkpoint, or None where there is none (checkpoints of training).

  Raises:
    CheckpointError: there is one, but it cannot be read.
  """
  path = contract_path(checkpoint)
  return read_contract(path) if path.is_file() else None


def check_preprocessing(
  contract: Contract, rgb_mean: tuple[float, float, float], pixel_scale: float, checkpoint: str
) -> None:
  """Raises CheckpointError where the checkpoint's network was fed otherwise; lists both values."""
  pairs = (
    ('rgb_mean', contract.rgb_mean, rgb_mean),
    ('pixel_scale', contract.pixel_scale, pixel_scale),
  )
  clashes = [f'{name} {theirs}, here {ours}' for name, theirs, ours in pairs if theirs != ours]
  if clashes:
    raise CheckpointError(f'{checkpoint} was made for other pixels: {"; ".join(clashes)}.')


def to_json(contract: Contract) -> str:
  """One JSON object, fields in the order of the class, `format_version` first."""
  values = dataclasses.asdict(contract)
  return json.dumps({'format_version': values.pop('format_version'), **values}, indent=2) + '\n'


def write_contract(path: pathlib.Path, contract: Contract) -> None:
  """Writes `path`; a killed run leaves nothing there, or the whole."""
  files.write_text(path, to_json(contract))


def read_contract(path: pathlib.Path) -> Contract:
  """Reads a contract.

  Raises:
    CheckpointError: no such file, no JSON, another format version, fields that are missing or
      unknown, or values that nothing can be fed by.
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
    check_fields(values, Contract, 'contract')
    check_fields(values['source'], Source, 'source')
    return Contract(**{**values, 'source': Source(**values['source'])})
  except (ConfigError, TypeError) as error:
    raise CheckpointError(f'{path}: {error}') from error
