"""Flags for the config classes, defined once; each tool defines the groups that it reads.

The default of a flag that has none here depends on the data set, or on the checkpoint that a run
starts from. Loads no TensorFlow, unless --checkpoint_path is a folder that has to be searched.
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

_HEAD = 'head'  # shorthand for the scopes of all layers of the head
_SCOPE_FLAGS = ('checkpoint_exclude_scopes', 'trainable_scopes')
_SMALL_IMAGES = 64  # pixels; data sets with larger images are trained at the paper's 224
_SMALL_IMAGE_SIDE = 32
_SMALLEST_STD = 1.0  # pixel values of 0..255, for channels that are nearly constant

# Augmentations of PreprocessingConfig, each enabled by a flag of the same name.
_AUGMENTATION = {
  'rgb_shift': 'Standard deviation of a random color shift along the principal components of the '
  'training pixels, in multiples of their eigenvalues; the paper uses 0.1.',
  'width_shift': 'Largest random horizontal shift of the crop, as a fraction of its width.',
  'height_shift': 'Largest random vertical shift of the crop, as a fraction of its height.',
  'zoom_min': 'Smallest factor by which height and width of the crop are randomly scaled.',
  'zoom_max': 'Largest factor by which height and width of the crop are randomly scaled.',
  'brightness_min': 'Smallest factor by which the pixels of an image are randomly multiplied.',
  'brightness_max': 'Largest factor by which the pixels of an image are randomly multiplied.',
  'random_erasing': 'Probability that a random rectangle is filled with the mean color.',
  'cutout': 'Side of a random square filled with the mean color, as a fraction of the side of the '
  'crop.',
  'mixup': 'Average pairs of images and their labels; the value is the parameter of the Beta '
  'distribution of the weights, such as 0.2.',
  'cutmix': 'Paste a rectangle of another image; the value is the parameter of the Beta '
  'distribution of its area, such as 1.',
}


class Start(NamedTuple):
  """The checkpoint that a new run starts from.

  Attributes:
    checkpoint: prefix of the checkpoint; None for a run that starts from initial values.
    contract: contract of the checkpoint; None if it has none.
  """

  checkpoint: str | None
  contract: contract.Contract | None


def start_from_flags() -> Start:
  """Returns the checkpoint that --checkpoint_path names.

  Raises:
    CheckpointError: its contract cannot be read.
  """
  path = _checkpoint_path()
  return Start(path, contract.find_contract(path) if path else None)


def _checkpoint_path() -> str | None:
  path = flags.FLAGS.checkpoint_path
  return path and checkpoint_flags.resolve(path)


@flag_groups.headed('Network')
def define_net_flags() -> None:
  """Defines --model and the other flags of the network."""
  net = config.NetConfig
  flags.DEFINE_string(
    'model',
    None,
    f'Network: {", ".join(specs.MODEL_NAMES)}; vgg_d@8 is vgg_d with 8 channels in its first stage '
    'instead of 64, and proportionally fewer in all others. Defaults to that of --checkpoint_path, '
    f'else {net.model}.',
  )
  flags.DEFINE_integer(
    'image_size',
    None,
    'Side of the training crop, in pixels. Defaults to that of the head in --checkpoint_path; else '
    f'to {_SMALL_IMAGE_SIDE} if no image is larger than {_SMALL_IMAGES} pixels; else to the side '
    f'that the network was published for, usually {IMAGE_SIDE}.',
  )
  flags.DEFINE_enum(
    'head',
    None,
    sorted(head_specs.HEADS),
    "Head of the network. Defaults to that of --checkpoint_path, else the network's own.",
  )
  flags.DEFINE_integer(
    'fc_units',
    None,
    f'Number of units of fc6 and fc7. Defaults to that of --checkpoint_path, else {net.fc_units}.',
  )
  flags.DEFINE_enum(
    'classifier_activation',
    None,
    config.CLASSIFIER_ACTIVATIONS,
    'Activation of the class scores: softmax, or sigmoid, a single logit for two classes. Defaults '
    f'to that of --checkpoint_path, else {net.classifier_activation}.',
  )
  flags.DEFINE_float(
    'dropout_keep_prob', net.dropout_keep_prob, 'Probability that dropout in the head keeps a unit.'
  )
  flags.DEFINE_enum(
    'initializer', net.initializer, config.INITIALIZERS, 'Initializer of the weights.'
  )


def net_config_from_flags(manifest: Manifest, start: Start) -> config.NetConfig:
  """Returns the network for the classes of `manifest`.

  Flags that are not given take their values from the checkpoint.

  Raises:
    ConfigError: the model is unknown, `image_size` is too small for it, or a value is out of range.
  """
  values = flags.FLAGS
  given = {name: values[name].value for name in ('model', 'head', 'image_size', 'fc_units')}
  given['classifier_activation'] = values.classifier_activation
  chosen = _net_of(start.contract, manifest)
  chosen.update({name: value for name, value in given.items() if value is not None})
  chosen.setdefault('model', config.NetConfig.model)
  spec = specs.get(chosen['model'])
  small = manifest.largest_side <= _SMALL_IMAGES
  chosen.setdefault('image_size', _SMALL_IMAGE_SIDE if small else spec.image_size)
  spec.head_window(chosen['image_size'], chosen.get('head'))
  return config.NetConfig(
    num_classes=manifest.num_classes,
    dropout_keep_prob=values.dropout_keep_prob,
    initializer=values.initializer,
    **chosen,
  )


def _net_of(started: contract.Contract | None, manifest: Manifest) -> dict[str, Any]:
  """Returns the settings that a run takes over from the network that it starts from."""
  if started is None:
    return {}
  chosen = {} if flags.FLAGS.from_net_a else {'model': started.model}
  if started.num_classes is None:  # a trunk fits any head and any image size
    return chosen
  chosen.update(head=started.head, image_size=started.image_size, fc_units=started.fc_units)
  if started.num_classes == manifest.num_classes:
    chosen['classifier_activation'] = started.classifier_activation
  return chosen


@flag_groups.headed('Images')
def define_preprocessing_flags() -> None:
  """Defines the flags of training scale, flips, pixel range and augmentation."""
  flags.DEFINE_integer(
    'train_scale_min',
    None,
    'Smallest random S, in pixels: the smaller side that training images are resized to before '
    'they are cropped. Defaults to 8/7 of --image_size, which is 256 for 224 as in the paper.',
  )
  flags.DEFINE_integer(
    'train_scale_max', None, 'Largest random S, in pixels. Defaults to --train_scale_min.'
  )
  flags.DEFINE_bool(
    'random_flip',
    None,
    'Mirror images horizontally with probability 1/2. On by default, except for data sets such as '
    'the digits, in which a mirrored image is wrong.',
  )
  flags.DEFINE_float(
    'pixel_scale',
    None,
    'Factor that pixels of 0..255 are multiplied by after the mean is subtracted. Defaults to that '
    'of --checkpoint_path, else 1.',
  )
  flags.DEFINE_bool(
    'featurewise_std',
    False,
    'Divide each channel by its standard deviation over the training pixels, instead of '
    'multiplying by --pixel_scale.',
  )
  _define_augmentation_flags()


@flag_groups.headed('Augmentation')
def _define_augmentation_flags() -> None:
  for name, text in _AUGMENTATION.items():
    flags.DEFINE_float(name, getattr(config.PreprocessingConfig, name), text)


def preprocessing_config_from_flags(
  manifest: Manifest, image_size: int, start: Start
) -> config.PreprocessingConfig:
  """Returns preprocessing with the mean of `manifest`, or that of the checkpoint's contract.

  Raises:
    CheckpointError: --pixel_scale differs from that of the checkpoint.
    ConfigError: a value is out of range, or two flags set the same value.
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
  """Returns the value of --pixel_scale or --featurewise_std; None if neither is given."""
  values = flags.FLAGS
  if not values.featurewise_std:
    return values.pixel_scale
  if values.pixel_scale is not None:
    raise ConfigError('Give either --featurewise_std or --pixel_scale, not both.')
  return tuple(1 / max(std, _SMALLEST_STD) for std in manifest.rgb_std)


@flag_groups.headed('Fine-tuning')
def define_fine_tune_flags() -> None:
  """Defines the flags that choose the initial weights and the trainable layers."""
  flags.DEFINE_string(
    'checkpoint_path',
    None,
    'Checkpoint to start a new run from: its prefix, or a train_dir, whose newest one is used. A '
    'resumed run uses its own checkpoint.',
  )
  flags.DEFINE_list(
    'checkpoint_exclude_scopes',
    [],
    'Comma-separated scopes that are not restored from --checkpoint_path, such as '
    'vgg_16/fc7,vgg_16/fc8, or head for the whole head.',
  )
  flags.DEFINE_bool(
    'new_head',
    False,
    'Restore everything except the last layer, to train on other classes; a checkpoint that holds '
    'only a trunk is restored completely.',
  )
  flags.DEFINE_bool(
    'from_net_a',
    False,
    'The checkpoint holds vgg_a: restore its first four convolutions and its fully-connected '
    'layers, which is how the paper initializes its deeper networks.',
  )
  flags.DEFINE_bool(
    'ignore_missing_vars',
    False,
    'Leave variables that are missing from the checkpoint at their initial values.',
  )
  flags.DEFINE_bool(
    'ignore_class_names',
    False,
    'Restore the last layer although the class names of the checkpoint differ.',
  )
  flags.DEFINE_list(
    'trainable_scopes',
    [],
    'Comma-separated scopes to train, or head; all other layers are frozen. Defaults to all.',
  )


def fine_tune_config_from_flags(net: config.NetConfig, start: Start) -> config.FineTuneConfig:
  """Returns the config of the fine-tuning flags.

  Raises:
    ConfigError: a flag is given that needs --checkpoint_path.
  """
  scopes = {name: _scopes(name, net) for name in _SCOPE_FLAGS}
  return flag_values.from_flags(config.FineTuneConfig, checkpoint_path=start.checkpoint, **scopes)


def _scopes(flag: str, net: config.NetConfig) -> list[str]:
  """Returns the scopes that a flag names, with 'head' expanded to those of the network's head."""
  head = specs.get(net.model).head_scopes(net.head)
  return [
    scope for given in flags.FLAGS[flag].value for scope in (head if given == _HEAD else [given])
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
    for name, value in flag_values.given(section_class).items()
  }
  if 'run.epochs' in given:  # replaces a --max_steps that the run was started with
    given.setdefault('run.max_steps', None)
  for name in _SCOPE_FLAGS:
    if flag_values.is_given(name):
      given[f'fine_tune.{name}'] = _scopes(name, begun.net)
  if flag_values.is_given('checkpoint_path'):
    given['fine_tune.checkpoint_path'] = _checkpoint_path()
  if flags.FLAGS.featurewise_std:
    given['preprocessing.pixel_scale'] = _pixel_scale(manifest)
  return given


def define_train_flags() -> None:
  """Defines all groups of flags that `train_config_from_flags` reads."""
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
  start = start or start_from_flags()
  net = net_config_from_flags(manifest, start)
  train = manifest.splits.get('train')  # a data set that is only plotted may have none
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
