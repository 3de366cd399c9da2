"""Plots samples of a data set, or the curves of training runs, into a file.

  tools/plot --what=samples --train_dir=runs/photos
  tools/plot --what=samples --data_dir=data/photos --train_scale_max=512 --output=samples.png
  tools/plot --what=history --train_dir=runs/photos,runs/photos_sgd

samples  A grid of images with their labels, as the network sees them: augmented for the training
         split, the central crop for the others. Without --train_dir, the flags of tools/train
         determine how they are preprocessed.
history  Loss and accuracy over the epochs, for one --train_dir or several, comma-separated.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import invocation
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError

if TYPE_CHECKING:  # matplotlib is only imported to draw
  from vgg_slim.plotting.samples import Figure

_TRAIN_DIR = flags.DEFINE_string(
  'train_dir', None, 'Folder of a training run; for history also several, comma-separated.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of a converted data set. Defaults to that of the training run.'
)
_SPLIT = flags.DEFINE_string('split', 'train', 'Split that samples are taken from.')
_COUNT = flags.DEFINE_integer('count', 16, 'Number of samples.', lower_bound=1)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File to write: .png, .pdf or .svg. Defaults to WHAT.png.'
)
config_flags.define_train_flags()


def _samples() -> 'Figure':
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
  if not _TRAIN_DIR.value:
    raise ConfigError('--train_dir is required: one or more folders of runs, comma-separated.')
  from vgg_slim.plotting import curves
  from vgg_slim.training import history

  folders = [os.path.normpath(folder) for folder in _TRAIN_DIR.value.split(',')]
  parent = os.path.commonpath([os.path.dirname(folder) for folder in folders])
  runs = {}
  for folder in folders:
    rows = history.read_history(folder)
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


def _train_config() -> config.TrainConfig:
  """Returns the config of the run in --train_dir, or else the one that the flags describe."""
  if _TRAIN_DIR.value:
    trained = config.read_train_config(_TRAIN_DIR.value)
    return dataclasses.replace(trained, data_dir=_DATA_DIR.value or trained.data_dir)
  if not _DATA_DIR.value:
    raise ConfigError('Give --train_dir or --data_dir to say which data set to plot.')
  data_dir = os.path.abspath(_DATA_DIR.value)
  return config_flags.train_config_from_flags(data_dir, manifests.read_manifest(data_dir))


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
