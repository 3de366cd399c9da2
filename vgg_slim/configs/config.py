"""The configuration of a run, as frozen dataclasses that validate themselves. No TensorFlow.

Each section is a module of `vgg_slim/configs/` and is re-exported here; its defaults are also those
of the flags (`vgg_slim/commands/flags/config_flags.py`). A `TrainConfig` is written to
`train_dir/config.json` before step 0, and every later command reads it, so that they all use the
network and the preprocessing of training.
"""

import dataclasses
import json
import pathlib

from vgg_slim import files, json_objects, similar_paths
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks, check_fields
from vgg_slim.configs.distribution import DistributionConfig
from vgg_slim.configs.fields import REFUSED, UNDECLARED, Setting, find_setting, free, setting
from vgg_slim.configs.fine_tune import FineTuneConfig
from vgg_slim.configs.net import CLASSIFIER_ACTIVATIONS, INITIALIZERS, NetConfig
from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.configs.preprocessing import PreprocessingConfig
from vgg_slim.configs.run import BALANCED_TWICE, BEST_METRICS, RunConfig
from vgg_slim.configs.runtime import NO_GPU, PRECISIONS, RuntimeConfig
from vgg_slim.configs.schedule import ScheduleConfig
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.preprocessing import test_scales
from vgg_slim.preprocessing.description import FILTER_OF_0_1, Preprocessing

__all__ = [
  'BEST_FOLDER',
  'BEST_METRICS',
  'CLASSIFIER_ACTIVATIONS',
  'CONFIG_FILE',
  'INITIALIZERS',
  'NO_GPU',
  'PRECISIONS',
  'SECTIONS',
  'DistributionConfig',
  'FineTuneConfig',
  'NetConfig',
  'OptimizerConfig',
  'PreprocessingConfig',
  'RunConfig',
  'RuntimeConfig',
  'ScheduleConfig',
  'TrainConfig',
  'all_settings',
  'check_fields',
  'read_train_config',
  'write_train_config',
]

CONFIG_FILE = 'config.json'
BEST_FOLDER = 'best'  # subfolder of a train_dir; itself a train_dir with the best checkpoint
_MOVED = free('the same images are read from there')


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
  """A whole training run; `train_dir/config.json` is its JSON.

  Attributes:
    net: settings of the network.
    preprocessing: settings of preprocessing and augmentation.
    optimizer: settings of the loss, the update rule and the learning-rate schedule.
    run: length, random seed and intervals of the run.
    fine_tune: what is restored from another checkpoint, and what is trained.
    runtime: devices, threads and compute precision.
    distribution: distribution over devices and workers.
  """

  net: NetConfig
  preprocessing: PreprocessingConfig
  optimizer: OptimizerConfig
  run: RunConfig
  fine_tune: FineTuneConfig
  data_dir: str = setting(help='Absolute path of the converted data set.', resume=_MOVED)
  data_fingerprint: str = setting(
    help='Fingerprint of the manifest of the data set at step 0.', resume=REFUSED
  )
  class_names: tuple[str, ...] = setting(
    help='Names of the classes in the order of the labels.', resume=REFUSED
  )
  runtime: RuntimeConfig = RuntimeConfig()
  distribution: DistributionConfig = DistributionConfig()

  def _check_together(self, checks: Checks) -> None:
    side, scale = self.net.image_size, self.preprocessing.train_scale_min
    classes, names = self.net.num_classes, len(self.class_names)
    batch, parts = self.run.batch_size, self.optimizer.gradient_accumulation_steps
    weights = len(self.optimizer.class_weights)
    problems = {
      f'train_scale_min={scale} is smaller than image_size={side}: no crop of {side} pixels '
      'fits': scale < side,
      f'num_classes={classes}, but there are {names} class names': classes != names,
      f'num_classes={classes}, but there are {weights} class_weights': weights not in (0, classes),
      BALANCED_TWICE: bool(weights) and self.run.balanced_batches,
      f'batch_size={batch} cannot be split into gradient_accumulation_steps={parts} equal '
      'micro-batches': batch % parts,
      f'memory_budget={self.runtime.memory_budget} is for one device, but '
      f'num_devices={self.distribution.num_devices}': self.runtime.memory_budget is not None
      and self.distribution.num_devices > 1,
    }
    checks.add(text for text, is_problem in problems.items() if is_problem)

  @property
  def balances_classes(self) -> bool:
    """Whether training makes up for classes of different size."""
    return bool(self.optimizer.class_weights) or self.run.balanced_batches

  @property
  def test_scale(self) -> int:
    """The smaller side Q to which test images are resized, in pixels."""
    low, high = self.preprocessing.train_scale_min, self.preprocessing.train_scale_max
    return test_scales.choose(low, high, self.net.image_size)

  @property
  def evaluation_preprocessing(self) -> Preprocessing:
    """Description of the preprocessing that images go through in evaluation."""
    rules = self.preprocessing
    return Preprocessing(
      rules.rgb_mean,
      rules.pixel_scale,
      self.test_scale,
      rules.resize_filter,
      rules.stored_side,
      rules.keep_aspect_ratio,
      rules.per_image_standardization,
      rules.pixel_range,
    )

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self), indent=2) + '\n'

  @classmethod
  def from_json(cls, text: str) -> 'TrainConfig':
    """Inverse of `to_json`.

    Raises:
      ConfigError: the text is not JSON, has unknown fields, or lacks fields that have no default.
    """
    try:
      values = json_objects.parse(text)
    except ValueError as error:
      raise ConfigError(str(error)) from error
    check_fields(values, cls, 'the top level', may_lack_defaults=True)
    for section in SECTIONS.keys() & values.keys():
      section_class = SECTIONS[section]
      check_fields(values[section], section_class, repr(section), may_lack_defaults=True)
      if section == 'preprocessing':
        values[section].setdefault('resize_filter', FILTER_OF_0_1)
      values[section] = section_class(**values[section])
    return cls(**values)


SECTIONS = {
  'net': NetConfig,
  'preprocessing': PreprocessingConfig,
  'optimizer': OptimizerConfig,
  'run': RunConfig,
  'fine_tune': FineTuneConfig,
  'runtime': RuntimeConfig,
  'distribution': DistributionConfig,
}


def all_settings() -> dict[str, Setting]:
  """What the field of each setting declares, by name, such as 'run.epochs' or 'data_dir'."""
  declared = {}
  for field in dataclasses.fields(TrainConfig):
    if field.name in SECTIONS:
      for inner in dataclasses.fields(SECTIONS[field.name]):
        declared[f'{field.name}.{inner.name}'] = find_setting(inner) or UNDECLARED
    else:
      declared[field.name] = find_setting(field) or UNDECLARED
  return declared


def read_train_config(train_dir: str) -> TrainConfig:
  """Reads `train_dir/config.json`.

  Raises:
    CheckpointError: the folder or the file does not exist, or the file is damaged or was written by
      an incompatible version; the message names the file and the way out.
  """
  path = pathlib.Path(train_dir, CONFIG_FILE)
  if not path.is_file():
    if not path.parent.is_dir():
      hint = similar_paths.suggest(train_dir, only_folders=True)
      raise CheckpointError(f'--train_dir={train_dir}: there is no such folder.{hint}')
    hint = _describe_way_out(path.parent)
    raise CheckpointError(f'{train_dir} is not a train_dir: it has no {CONFIG_FILE}.{hint}')
  try:
    return TrainConfig.from_json(path.read_text(encoding='utf-8'))
  except (ConfigError, UnicodeDecodeError, TypeError) as error:
    reason = str(error).rstrip('.')
    raise CheckpointError(
      f'{path} is damaged or was written by another version of vgg_slim: {reason}. Repair '
      'it, install the vgg_slim_version recorded in model.ckpt-*.json, or give another --train_dir.'
    ) from error


def _describe_way_out(folder: pathlib.Path) -> str:
  """What to do with a folder that has no `config.json`, if that can be told from its files."""
  if any(folder.glob('*.index')):
    return (
      f' It holds checkpoints: put the {CONFIG_FILE} of their run back ({BEST_FOLDER}/ may have a '
      f'copy), or start a new run from them: tools/train --checkpoint_path={folder} with another '
      '--train_dir.'
    )
  phases = sorted(str(found.parent) for found in folder.glob(f'*/{CONFIG_FILE}'))
  return f' Its phases are train_dirs: {", ".join(phases)}.' if phases else ''


def write_train_config(train_dir: str, config: TrainConfig) -> None:
  """Writes `train_dir/config.json` atomically: a killed run leaves the old or the new file."""
  files.write_text(pathlib.Path(train_dir, CONFIG_FILE), config.to_json())
