"""Flags of the configs, declared once; each tool defines the groups that it reads.

A flag without a default here takes one from the data set, or from the checkpoint that a run starts
from. Loads no TensorFlow, unless --checkpoint_path is a folder to look into.
"""

from typing import Any, NamedTuple

from absl import flags

from vgg_slim.checkpoints import contract
from vgg_slim.commands.flags import (
  checkpoint_flags,
  flag_groups,
  flag_values,
  optimizer_flags,
  run_flags,
)
from vgg_slim.configs import config
from vgg_slim.constants import IMAGE_SIDE, TRAIN_SCALE
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs

flags.disclaim_key_flags()

_HEAD = 'head'  # stands for the scopes of all its layers
_SCOPE_FLAGS = ('checkpoint_exclude_scopes', 'trainable_scopes')
_SMALL_PICTURES = 64  # pixels; larger ones are trained on at the paper's 224
_SMALL_IMAGE_SIDE = 32
_SMALLEST_STD = 1.0  # grey levels, for channels that are all but constant

# Steps of PreprocessingConfig that a flag of the same name switches on.
_AUGMENTATION = {
  'rgb_shift': 'Standard deviation of a colour shift along the principal axes of the training '
  "pixels, in eigenvalues; 0.1 is the paper's.",
  'width_shift': 'Move the crop sideways by up to this share of its width.',
  'height_shift': 'Move the crop up or down by up to this share of its height.',
  'zoom_min': 'Multiply height and width of the crop by numbers of [--zoom_min, --zoom_max].',
  'zoom_max': 'See --zoom_min.',
  'brightness_min': 'Multiply pixels by a number of [--brightness_min, --brightness_max].',
  'brightness_max': 'See --brightness_min.',
  'random_erasing': 'Probability that a rectangle becomes mean colour.',
  'cutout': "Side of a square of mean colour, as a share of the crop's.",
  'mixup': 'Average pictures and labels in pairs; parameter of the Beta distribution, such as 0.2.',
  'cutmix': 'Paste a rectangle of another picture; parameter of the Beta distribution, such as 1.',
}


class Start(NamedTuple):
  """The checkpoint that a new run starts from.

  Attributes:
    checkpoint: its prefix; None for a run that starts from the initialiser.
    contract: that of the checkpoint; None where it has none.
  """

  checkpoint: str | None
  contract: contract.Contract | None


def start_from_flags() -> Start:
  """What --checkpoint_path names.

  Raises:
    CheckpointError: the contract beside it cannot be read.
  """
  path = _checkpoint_path()
  return Start(path, contract.find_contract(path) if path else None)


def _checkpoint_path() -> str | None:
  path = flags.FLAGS.checkpoint_path
  return path and checkpoint_flags.resolve(path)


@flag_groups.headed('Network')
def define_net_flags() -> None:
  """--model and what shapes it."""
  net = config.NetConfig
  flags.DEFINE_string(
    'model',
    None,
    f'Network: {", ".join(specs.MODEL_NAMES)}; vgg_d@8 is vgg_d with 8 channels in its first stage '
    f'instead of 64, and all others in proportion. By default {net.model}, or that of '
    '--checkpoint_path.',
  )
  flags.DEFINE_integer(
    'image_size',
    None,
    'Side of the training crop, in pixels. By default that of the head in --checkpoint_path; else '
    f"the network's own, mostly {IMAGE_SIDE}, or {_SMALL_IMAGE_SIDE} where no picture is larger "
    f'than {_SMALL_PICTURES}.',
  )
  flags.DEFINE_enum(
    'head',
    None,
    sorted(head_specs.HEADS),
    "By default that of --checkpoint_path, or the network's own.",
  )
  flags.DEFINE_integer(
    'fc_units',
    None,
    f'Units of fc6 and fc7. By default {net.fc_units}, or those of --checkpoint_path.',
  )
  flags.DEFINE_enum(
    'classifier_activation',
    None,
    config.CLASSIFIER_ACTIVATIONS,
    'softmax, or sigmoid: a single logit for two classes. By default that of --checkpoint_path, or '
    f'{net.classifier_activation}.',
  )
  flags.DEFINE_float(
    'dropout_keep_prob', net.dropout_keep_prob, 'Share of units that dropout keeps.'
  )
  flags.DEFINE_enum(
    'initializer', net.initializer, config.INITIALIZERS, 'Rule of the first weights.'
  )


def net_config_from_flags(manifest: Manifest, start: Start) -> config.NetConfig:
  """The network for the classes of `manifest`; what no flag says is as in the checkpoint.

  Raises:
    ConfigError: an unknown model, a side too small for it, or a value out of range.
  """
  values = flags.FLAGS
  given = {name: values[name].value for name in ('model', 'head', 'image_size', 'fc_units')}
  given['classifier_activation'] = values.classifier_activation
  chosen = _net_of(start.contract, manifest)
  chosen.update({name: value for name, value in given.items() if value is not None})
  chosen.setdefault('model', config.NetConfig.model)
  spec = specs.get(chosen['model'])
  small = manifest.largest_side <= _SMALL_PICTURES
  chosen.setdefault('image_size', _SMALL_IMAGE_SIDE if small else spec.image_size)
  spec.head_window(chosen['image_size'], chosen.get('head'))
  return config.NetConfig(
    num_classes=manifest.num_classes,
    dropout_keep_prob=values.dropout_keep_prob,
    initializer=values.initializer,
    **chosen,
  )


def _net_of(started: contract.Contract | None, manifest: Manifest) -> dict[str, Any]:
  """What a run takes over from the network that it starts from."""
  if started is None:
    return {}
  chosen = {} if flags.FLAGS.from_net_a else {'model': started.model}
  if started.num_classes is None:  # a trunk fits any head, at any side
    return chosen
  chosen.update(head=started.head, image_size=started.image_size, fc_units=started.fc_units)
  if started.num_classes == manifest.num_classes:
    chosen['classifier_activation'] = started.classifier_activation
  return chosen


@flag_groups.headed('Pictures')
def define_preprocessing_flags() -> None:
  """Scale, flip and pixel range."""
  flags.DEFINE_integer(
    'train_scale_min',
    None,
    'Smallest side S of a training picture before its crop, in pixels. By default 8/7 of '
    '--image_size, as 256 is of 224 in the paper.',
  )
  flags.DEFINE_integer(
    'train_scale_max', None, 'S is drawn up to this side. By default the same as --train_scale_min.'
  )
  flags.DEFINE_bool(
    'random_flip', None, 'Mirror every other picture. By default yes, but not for digits.'
  )
  flags.DEFINE_float(
    'pixel_scale',
    None,
    'Factor on (pixel - mean), 0..255 before. By default 1, or that of --checkpoint_path.',
  )
  flags.DEFINE_bool(
    'featurewise_std',
    False,
    'Divide by the deviation of each channel, in the place of pixel_scale.',
  )
  _define_augmentation_flags()


@flag_groups.headed('Augmentation')
def _define_augmentation_flags() -> None:
  for name, text in _AUGMENTATION.items():
    flags.DEFINE_float(name, getattr(config.PreprocessingConfig, name), text)


def preprocessing_config_from_flags(
  manifest: Manifest, image_size: int, start: Start
) -> config.PreprocessingConfig:
  """Preprocessing with the mean of `manifest`, or of the weights that the run starts from.

  Raises:
    CheckpointError: --pixel_scale is not that of the weights.
    ConfigError: a value out of range, or two that say the same.
  """
  values = flags.FLAGS
  rgb_mean, pixel_scale, started = manifest.rgb_mean, _pixel_scale(manifest), start.contract
  if started:
    rgb_mean = started.rgb_mean
    pixel_scale = started.pixel_scale if pixel_scale is None else pixel_scale
    contract.check_preprocessing(started, rgb_mean, pixel_scale, start.checkpoint)
  smallest = values.train_scale_min or image_size * TRAIN_SCALE // IMAGE_SIDE
  return config.PreprocessingConfig(
    rgb_mean=rgb_mean,
    pixel_scale=config.PreprocessingConfig.pixel_scale if pixel_scale is None else pixel_scale,
    train_scale_min=smallest,
    train_scale_max=values.train_scale_max or smallest,
    random_flip=manifest.mirror_safe if values.random_flip is None else values.random_flip,
    rgb_covariance=manifest.rgb_covariance if values.rgb_shift else None,
    stored_side=manifest.stored_side,
    **{name: values[name].value for name in _AUGMENTATION},
  )


def _pixel_scale(manifest: Manifest) -> float | tuple[float, ...] | None:
  """What --pixel_scale or --featurewise_std says; None where neither is given."""
  values = flags.FLAGS
  if not values.featurewise_std:
    return values.pixel_scale
  if values.pixel_scale is not None:
    raise ConfigError('--featurewise_std and --pixel_scale: give one of them.')
  return tuple(1 / max(std, _SMALLEST_STD) for std in manifest.rgb_std)


@flag_groups.headed('Fine-tuning')
def define_fine_tune_flags() -> None:
  """What to start from, and what to train."""
  flags.DEFINE_string(
    'checkpoint_path',
    None,
    'Checkpoint to start a new run from: its prefix, or a train_dir for its newest one. A resumed '
    'run has its own.',
  )
  flags.DEFINE_list(
    'checkpoint_exclude_scopes',
    [],
    'Scopes not taken from it, with commas: vgg_16/fc7,vgg_16/fc8; or head for all of the head.',
  )
  flags.DEFINE_bool(
    'new_head',
    False,
    'Take all but the last layer, for other classes; of a trunk alone, all of it.',
  )
  flags.DEFINE_bool(
    'from_net_a',
    False,
    'The checkpoint is of vgg_a: take its first four convolutions and its fully-connected layers, '
    'as the paper starts its deeper networks.',
  )
  flags.DEFINE_bool(
    'ignore_missing_vars', False, 'Let what the checkpoint lacks start from its initial value.'
  )
  flags.DEFINE_bool(
    'ignore_class_names',
    False,
    'Keep the last layer although the checkpoint calls its classes otherwise.',
  )
  flags.DEFINE_list(
    'trainable_scopes',
    [],
    'Scopes to train, with commas, or head; the rest is frozen. By default all.',
  )


def fine_tune_config_from_flags(net: config.NetConfig, start: Start) -> config.FineTuneConfig:
  """Raises ConfigError for flags that need --checkpoint_path."""
  scopes = {name: _scopes(name, net) for name in _SCOPE_FLAGS}
  return flag_values.from_flags(config.FineTuneConfig, checkpoint_path=start.checkpoint, **scopes)


def _scopes(flag: str, net: config.NetConfig) -> list[str]:
  """The scopes that a flag names, those of the network's head in the place of 'head'."""
  of_head = specs.get(net.model).head_scopes(net.head)
  return [
    scope for given in flags.FLAGS[flag].value for scope in (of_head if given == _HEAD else [given])
  ]


def given_settings(begun: config.TrainConfig, manifest: Manifest) -> dict[str, Any]:
  """What the command names of a run that has begun, by setting, such as 'run.epochs'."""
  found = {
    f'{section}.{name}': value
    for section, section_class in config.SECTIONS.items()
    for name, value in flag_values.given(section_class).items()
  }
  if 'run.epochs' in found:  # a length; --max_steps of then is another
    found.setdefault('run.max_steps', None)
  for name in _SCOPE_FLAGS:
    if flag_values.is_given(name):
      found[f'fine_tune.{name}'] = _scopes(name, begun.net)
  if flag_values.is_given('checkpoint_path'):
    found['fine_tune.checkpoint_path'] = _checkpoint_path()
  if flags.FLAGS.featurewise_std:
    found['preprocessing.pixel_scale'] = _pixel_scale(manifest)
  return found


def define_train_flags() -> None:
  """All groups that `train_config_from_flags` reads."""
  define_net_flags()
  define_preprocessing_flags()
  optimizer_flags.define_optimizer_flags()
  run_flags.define_run_flags()
  define_fine_tune_flags()
  run_flags.define_runtime_flags()
  run_flags.define_distribution_flags()


def train_config_from_flags(
  data_dir: str, manifest: Manifest, start: Start | None = None
) -> config.TrainConfig:
  """A new run.

  Args:
    data_dir: folder of the data set.
    manifest: its manifest.
    start: the checkpoint that the run starts from; None for that of the flags.

  Raises:
    CheckpointError: the contract beside --checkpoint_path cannot be read, or its pixels are others.
    ConfigError: values out of range or that do not go together.
  """
  start = start or start_from_flags()
  net = net_config_from_flags(manifest, start)
  train = manifest.splits.get('train')  # a set to look at may be without
  run = run_flags.run_config_from_flags(train and train.num_examples)
  stretch = run.epochs / config.RunConfig.epochs if run_flags.has_default_length() else 1
  return config.TrainConfig(
    net=net,
    preprocessing=preprocessing_config_from_flags(manifest, net.image_size, start),
    optimizer=optimizer_flags.optimizer_config_from_flags(stretch),
    run=run,
    fine_tune=fine_tune_config_from_flags(net, start),
    data_dir=data_dir,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
    runtime=run_flags.runtime_config_from_flags(),
    distribution=run_flags.distribution_config_from_flags(),
  )
