"""Plots samples of a data set, or the curves of training runs, into a file.

  tools/plot --what=samples --train_dir=runs/photos
  tools/plot --what=samples --data_dir=data/photos --train_scale_max=512 --output=samples.png
  tools/plot --what=history --train_dir=runs/photos,runs/photos_sgd

samples  A grid of images with their labels, as the network sees them: augmented for the training
         split, the central crop for the others. They are prepared as in the run in --train_dir, or
         else as the flags of images and augmentation say, which are those of tools/train.
history  Loss and accuracy over the epochs, for one --train_dir or several, comma-separated. The
         phases of a run are drawn one after another, as one run.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import invocation, phases
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config
from vgg_slim.data import manifest as manifests
from vgg_slim.data.conversion import data_of_run
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs

if TYPE_CHECKING:  # matplotlib is only imported to draw
  from vgg_slim.plotting.samples import Figure

_TRAIN_DIR = flags.DEFINE_string(
  'train_dir', None, 'Folder of a training run; for history also several, comma-separated.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File to write: .png, .pdf or .svg. Defaults to WHAT.png.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of a converted data set. Defaults to that of the training run.'
)
_SPLIT = flags.DEFINE_string('split', 'train', 'Split that samples are taken from.')
_COUNT = flags.DEFINE_integer('count', 16, 'Number of samples.', lower_bound=1)
_MODEL = flags.DEFINE_string(
  'model', config.NetConfig.model, 'Network that is to be trained, for the default of --image_size.'
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Side of the crop, in pixels. Defaults to that of the run, or to the one that tools/train would '
  'choose for the data set and --model.',
  lower_bound=1,
)
_SEED = flags.DEFINE_integer('seed', 0, 'Random seed for the order and the augmentation.')
_others = set(flags.FLAGS)
config_flags.define_preprocessing_flags()
_PREPARATION = (*sorted(set(flags.FLAGS) - _others), 'model', 'image_size', 'seed')
_SAMPLES = ('data_dir', 'split', 'count', *_PREPARATION)


def _samples() -> 'Figure':
  if _TRAIN_DIR.value:
    _refuse(_PREPARATION, f'--train_dir={_TRAIN_DIR.value}, whose run determines it')
  trained = _train_config()
  manifest = manifests.read_manifest(trained.data_dir)
  manifest.split(_SPLIT.value)
  invocation.load_tensorflow()
  from vgg_slim.data.conversion import preview
  from vgg_slim.plotting import samples

  images, labels = preview.run_preview(trained, manifest, _SPLIT.value, _COUNT.value)
  names = [manifest.class_names[label] for label in labels]
  side = trained.net.image_size
  return samples.draw_samples(images, names, f'{_SPLIT.value}, {side} x {side} pixels')


def _history() -> 'Figure':
  _refuse(_SAMPLES, '--what=history')
  if not _TRAIN_DIR.value:
    raise ConfigError('--train_dir is required: one or more folders of runs, comma-separated.')
  from vgg_slim.plotting import curves

  folders = [os.path.normpath(folder) for folder in _TRAIN_DIR.value.split(',')]
  parent = os.path.commonpath([os.path.dirname(folder) for folder in folders])
  runs = {}
  for folder in folders:
    rows = phases.read_history(folder)
    epochs = [row.epoch for row in rows]
    runs[os.path.relpath(folder, parent)] = curves.History(
      curves.Curve(epochs, [r.train_loss for r in rows], [r.validation_loss for r in rows]),
      curves.Curve(epochs, [r.train_accuracy for r in rows], [r.validation_accuracy for r in rows]),
    )
  return curves.draw_history(runs)


# Functions that draw what the flags describe; the docstring above documents them.
PLOTS: dict[str, Callable[[], 'Figure']] = {
  'samples': _samples,
  'history': _history,
}
_WHAT = flags.DEFINE_enum('what', None, list(PLOTS), 'Plot to draw.')


def main() -> None:
  """Draws the plot that --what names and writes it."""
  if _WHAT.value is None:
    raise ConfigError(f'--what is required: one of {", ".join(PLOTS)}.')
  output = _OUTPUT.value or f'{_WHAT.value}.png'
  kind = output_files.check_suffix('--output', output, output_files.DRAWINGS)
  with output_files.open_outputs({'--output': output}) as streams:
    PLOTS[_WHAT.value]().savefig(streams['--output'], format=kind[1:])
  print(f'Wrote {output}.')


def _refuse(names: tuple[str, ...], reason: str) -> None:
  """Raises ConfigError if any of the flags `names` is given."""
  given = [f'--{name}' for name in names if flags.FLAGS[name].present]
  if given:
    raise ConfigError(f'{", ".join(given)}: no effect with {reason}.')


def _train_config() -> config.TrainConfig:
  """Returns the config of the run in --train_dir, or else one that prepares images as flags say."""
  if _TRAIN_DIR.value:
    trained = config.read_train_config(_TRAIN_DIR.value)
    data_dir = _DATA_DIR.value or data_of_run.find(trained.data_dir, _TRAIN_DIR.value)
    return dataclasses.replace(trained, data_dir=data_dir)
  if not _DATA_DIR.value:
    raise ConfigError('Give --train_dir or --data_dir to say which data set to plot.')
  manifest = manifests.read_manifest(_DATA_DIR.value)
  specs.get(_MODEL.value)  # raises ConfigError for an unknown name
  side = _IMAGE_SIZE.value or config_flags.default_image_size(manifest, _MODEL.value)
  start = config_flags.Start(None, None)
  return config.TrainConfig(
    net=config.NetConfig(manifest.num_classes, _MODEL.value, image_size=side),
    preprocessing=config_flags.preprocessing_config_from_flags(manifest, side, start),
    optimizer=config.OptimizerConfig(),
    run=config.RunConfig(seed=_SEED.value),
    fine_tune=config.FineTuneConfig(),
    data_dir=_DATA_DIR.value,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
