"""Flags of a training run: their computed defaults, and the config that they describe.

`field_flags` defines the flags from the fields of the configs. This module knows the defaults that
depend on the data set, on other flags, or on the checkpoint that a run starts from. Loads no
TensorFlow, unless --checkpoint_path is a folder that has to be searched, or for --weights.
"""

import os
from typing import Any, NamedTuple

from absl import flags

from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.commands.flags import (
  checkpoint_flags,
  field_flags,
  flag_groups,
  recommended_flags,
  unused_flags,
)
from vgg_slim.commands.flags.field_flags import Computed
from vgg_slim.configs import config
from vgg_slim.configs.checks import build_all
from vgg_slim.constants import IMAGE_SIDE, NUM_IMAGENET_CLASSES, TRAIN_SCALE
from vgg_slim.data import class_weights
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs
from vgg_slim.weights import published

flags.disclaim_key_flags()

_HEAD = 'head'  # shorthand for the scopes of all layers of the head
_SCOPE_FLAGS = ('checkpoint_exclude_scopes', 'trainable_scopes')
_SMALL_IMAGES = 64  # pixels; data sets with larger images are trained at the paper's 224
_SMALL_IMAGE_SIDE = 32
_NO_MEAN = (0.0, 0.0, 0.0)
_SMALLEST_STD = 1.0  # pixel values of 0..255, for channels that are nearly constant

_NET = {
  'model': Computed(
    f'Networks: {", ".join(specs.MODEL_NAMES)}. Defaults to that of --checkpoint_path, else '
    f'{config.NetConfig.model}.'
  ),
  'head': Computed(
    "Defaults to that of --checkpoint_path, else the network's own.", sorted(head_specs.HEADS)
  ),
  'image_size': Computed(
    'Defaults to that of the head in --checkpoint_path; else to '
    f'{_SMALL_IMAGE_SIDE} if no image is larger than {_SMALL_IMAGES} pixels; else to the side '
    f'that the network was published for, usually {IMAGE_SIDE}.'
  ),
  'fc_units': Computed(f'Defaults to that of --checkpoint_path, else {config.NetConfig.fc_units}.'),
  'classifier_activation': Computed(
    f'Defaults to that of --checkpoint_path, else {config.NetConfig.classifier_activation}.'
  ),
}
_PREPROCESSING = {
  'pixel_scale': Computed('Defaults to that of --checkpoint_path, else 1.'),
  'train_scale_min': Computed(
    'Defaults to 8/7 of --image_size, which is 256 for 224 as in the paper.'
  ),
  'train_scale_max': Computed('Defaults to --train_scale_min.'),
  'keep_aspect_ratio': Computed('Defaults to that of --checkpoint_path, else on.'),
  'per_image_standardization': Computed('Defaults to that of --checkpoint_path, else off.'),
  'random_flip': Computed(
    'On by default, except for data sets such as the digits, in which a mirrored image is wrong.'
  ),
}


class Start(NamedTuple):
  """The checkpoint that a new run starts from.

  Attributes:
    checkpoint: prefix of the checkpoint; None for a run that starts from initial values.
    contract: contract of the checkpoint; None if it has none.
  """

  checkpoint: str | None
  contract: contract.Contract | None


def start_from_flags(num_classes: int) -> Start:
  """Returns the checkpoint that --checkpoint_path names, or one of --weights.

  Args:
    num_classes: number of classes of the data set.

  Raises:
    CheckpointError: there is no such checkpoint, its contract cannot be read, or the weights are
      neither here nor can they be downloaded or imported.
    ConfigError: both flags are given, or no published weights fit.
  """
  weights = flags.FLAGS.weights
  path: str | None
  if weights:
    path = checkpoint_flags.prepare_weights(weights, _weights_model(), _needs_head(num_classes))
  else:
    path = _checkpoint_path()
  found = contract.find_contract(path) if path else None
  if path and not found:
    prefixes.check_exists(path)
  return Start(path, found)


def expected_start(num_classes: int) -> Start | None:
  """Returns what `start_from_flags` will return for published weights, without a download.

  It is None without --weights, and for a file, whose contract is not known before it is read.

  Raises:
    ConfigError: both flags are given, or no published weights fit.
  """
  weights = flags.FLAGS.weights
  if weights and flags.FLAGS.checkpoint_path:
    raise ConfigError('Give either --weights or --checkpoint_path.')
  if not weights or os.path.isfile(weights):
    return None
  needs_head = _needs_head(num_classes)
  file = published.choose(weights, _weights_model(), needs_head)
  return Start(file.name, published.expected_contract(file, _weights_model(), needs_head))


def _weights_model() -> str:
  return flags.FLAGS.model or config.NetConfig.model


def _needs_head(num_classes: int) -> bool:
  return num_classes == NUM_IMAGENET_CLASSES or flags.FLAGS.new_head


def _checkpoint_path() -> str | None:
  path = flags.FLAGS.checkpoint_path
  return path and checkpoint_flags.resolve(path)


def define_net_flags() -> None:
  """Defines --model and the other flags of the network."""
  field_flags.define(config.NetConfig, _NET)


def net_config_from_flags(manifest: Manifest, start: Start) -> config.NetConfig:
  """Returns the network for the classes of `manifest`.

  Flags that are not given take their values from the checkpoint.

  Raises:
    ConfigError: the model is unknown, `image_size` is too small for it, a value is out of range, or
      a flag of the head has no effect on the network.
  """
  values = flags.FLAGS
  given = {name: values[name].value for name in _NET}
  chosen = _net_of(start.contract, manifest)
  chosen.update({name: value for name, value in given.items() if value is not None})
  chosen.setdefault('model', config.NetConfig.model)
  spec = specs.get(chosen['model'])
  chosen.setdefault('image_size', default_image_size(manifest, chosen['model']))
  head = chosen.get('head')
  built = build_all(
    {
      'effects': lambda: unused_flags.check(chosen['model'], head),
      'window': lambda: spec.head_window(chosen['image_size'], head),
      'net': lambda: field_flags.from_flags(
        config.NetConfig, num_classes=manifest.num_classes, **chosen
      ),
    }
  )
  return built['net']


def default_image_size(manifest: Manifest, model: str) -> int:
  """Returns the side of the training crop for a data set, in pixels."""
  small = manifest.largest_side <= _SMALL_IMAGES
  return _SMALL_IMAGE_SIDE if small else specs.get(model).image_size


def _net_of(started: contract.Contract | None, manifest: Manifest) -> dict[str, Any]:
  """Returns the settings that a run takes over from the network that it starts from."""
  if started is None:
    return {}
  network = started.network
  chosen: dict[str, Any] = {} if flags.FLAGS.from_net_a else {'model': network.model}
  if network.is_trunk:  # it fits any head and any image size
    return chosen
  chosen.update(head=network.head, image_size=network.image_size, fc_units=network.fc_units)
  if network.num_classes == manifest.num_classes:
    chosen['classifier_activation'] = network.classifier_activation
  return chosen


def define_preprocessing_flags() -> None:
  """Defines the flags of training scale, flips, pixel range and augmentation."""
  flags.DEFINE_bool(
    'featurewise_std',
    False,
    'Divide each channel by its standard deviation over the training pixels, instead of '
    'multiplying by --pixel_scale.',
  )
  flags.DEFINE_bool(
    'subtract_mean', True, 'Subtract the mean of the training pixels from each channel.'
  )
  for name in ('featurewise_std', 'subtract_mean'):
    flag_groups.set_heading(name, 'Images')
  field_flags.define(config.PreprocessingConfig, _PREPROCESSING)


def preprocessing_config_from_flags(
  manifest: Manifest, image_size: int, start: Start
) -> config.PreprocessingConfig:
  """Returns preprocessing with the mean of `manifest`, or that of the checkpoint's contract.

  Raises:
    CheckpointError: the checkpoint was fed other pixel values than the flags say.
    ConfigError: a value is out of range, or two flags set the same value.
  """
  values, started = flags.FLAGS, start.contract
  defaults = started.preprocessing if started else config.PreprocessingConfig
  given = {
    'pixel_scale': _pixel_scale(manifest),
    'keep_aspect_ratio': values.keep_aspect_ratio,
    'per_image_standardization': values.per_image_standardization,
  }
  chosen: dict[str, Any] = {
    name: getattr(defaults, name) if value is None else value for name, value in given.items()
  }
  rgb_mean = started.preprocessing.rgb_mean if started else manifest.rgb_mean
  if chosen['per_image_standardization'] or not values.subtract_mean:
    rgb_mean = _NO_MEAN
  smallest = _given(values.train_scale_min, image_size * TRAIN_SCALE // IMAGE_SIDE)
  result = field_flags.from_flags(
    config.PreprocessingConfig,
    rgb_mean=rgb_mean,
    **chosen,
    train_scale_min=smallest,
    train_scale_max=_given(values.train_scale_max, smallest),
    random_flip=_given(values.random_flip, manifest.mirror_safe),
    rgb_covariance=manifest.rgb_covariance if values.rgb_shift else None,
    stored_side=manifest.stored_side,
    pixel_range=manifest.pixel_range,
  )
  if started:
    contract.check_preprocessing(started, result, str(start.checkpoint))
  return result


def _given(value: Any, default: Any) -> Any:
  return default if value is None else value


def _pixel_scale(manifest: Manifest) -> float | tuple[float, float, float] | None:
  """Returns the value of --pixel_scale or --featurewise_std; None if neither is given."""
  values = flags.FLAGS
  if not values.featurewise_std:
    return values.pixel_scale
  if values.pixel_scale is not None:
    raise ConfigError('Give either --featurewise_std or --pixel_scale, not both.')
  red, green, blue = (1 / max(std, _SMALLEST_STD) for std in manifest.rgb_std)
  return red, green, blue


def fine_tune_config_from_flags(net: config.NetConfig, start: Start) -> config.FineTuneConfig:
  """Returns the config of the fine-tuning flags.

  Raises:
    ConfigError: a flag is given that needs --checkpoint_path.
  """
  scopes: dict[str, Any] = {name: _scopes(name, net) for name in _SCOPE_FLAGS}
  if flags.FLAGS.weights and start.contract and start.contract.network.is_trunk:
    scopes['new_head'] = True
  return field_flags.from_flags(config.FineTuneConfig, checkpoint_path=start.checkpoint, **scopes)


def _scopes(flag: str, net: config.NetConfig) -> list[str]:
  """Returns the scopes that a flag names, with 'head' expanded to those of the network's head."""
  head = specs.get(net.model).head_scopes(net.head)
  return [
    scope
    for given in flags.FLAGS[flag].value or ()
    for scope in (head if given == _HEAD else [given])
  ]


def given_settings(begun: config.TrainConfig, manifest: Manifest) -> dict[str, Any]:
  """Returns the values given on the command line, by the name of the setting ('run.epochs').

  Args:
    begun: config of the run that is resumed.
    manifest: manifest of its data set.
  """
  given = {
    f'{section}.{name}': value
    for section, section_class in config.SECTIONS.items()
    for name, value in field_flags.given(section_class).items()
  }
  if 'run.epochs' in given:  # replaces a --max_steps that the run was started with
    given.setdefault('run.max_steps', None)
  for name in _SCOPE_FLAGS:
    if field_flags.is_given(name):
      given[f'fine_tune.{name}'] = _scopes(name, begun.net)
  if field_flags.is_given('checkpoint_path'):
    given['fine_tune.checkpoint_path'] = _checkpoint_path()
  if field_flags.is_given('class_weights'):
    given['optimizer.class_weights'] = _class_weights(manifest)
  if flags.FLAGS.featurewise_std:
    given['preprocessing.pixel_scale'] = _pixel_scale(manifest)
  if not flags.FLAGS.subtract_mean:
    given['preprocessing.rgb_mean'] = _NO_MEAN
  return given


def _class_weights(manifest: Manifest) -> tuple[float, ...]:
  text = flags.FLAGS.class_weights
  if not text:
    return ()
  counts = manifest.split('train').examples_per_class
  return class_weights.parse(text, manifest.class_names, counts)


def define_train_flags() -> None:
  """Defines all flags that `train_config_from_flags` reads."""
  define_net_flags()
  define_preprocessing_flags()
  field_flags.define(config.OptimizerConfig, recommended_flags.OPTIMIZER)
  flags.DEFINE_string('class_weights', None, class_weights.HELP)
  flag_groups.set_heading('class_weights', 'Optimizer and loss')
  field_flags.define(config.RunConfig, recommended_flags.RUN)
  field_flags.define(config.FineTuneConfig)
  checkpoint_flags.define_weights_dir()
  flag_groups.set_heading('weights_dir', 'Fine-tuning')
  field_flags.define(config.RuntimeConfig)
  field_flags.define(config.DistributionConfig)


def train_config_from_flags(
  data_dir: str, manifest: Manifest, start: Start | None = None
) -> config.TrainConfig:
  """Returns the config of a new run.

  Args:
    data_dir: folder of the data set.
    manifest: manifest of the data set.
    start: checkpoint that the run starts from; None for that of --checkpoint_path.

  Raises:
    CheckpointError: the contract of the checkpoint cannot be read, or it describes other
      preprocessing than the flags.
    ConfigError: values are out of range or cannot be combined.
  """
  start = start or start_from_flags(manifest.num_classes)
  train = manifest.splits.get('train')  # a data set that is only plotted may have none
  situation = recommended_flags.situation(
    train.num_examples if train else None, start.checkpoint, start.contract
  )
  sections = build_all(
    {
      'net': lambda: net_config_from_flags(manifest, start),
      'optimizer': lambda: recommended_flags.optimizer_config(situation, _class_weights(manifest)),
      'run': lambda: recommended_flags.run_config(situation),
      'runtime': lambda: field_flags.from_flags(config.RuntimeConfig),
      'distribution': lambda: field_flags.from_flags(config.DistributionConfig),
    }
  )
  net = sections['net']
  sections |= build_all(
    {
      'preprocessing': lambda: preprocessing_config_from_flags(manifest, net.image_size, start),
      'fine_tune': lambda: fine_tune_config_from_flags(net, start),
    }
  )
  return config.TrainConfig(
    **sections,
    data_dir=data_dir,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
  )
