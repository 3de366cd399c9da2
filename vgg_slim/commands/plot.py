"""Draws what there is to look at into a picture file.

  tools/plot --what=samples --train_dir=runs/photos
  tools/plot --what=samples --data_dir=data/photos --train_scale_max=512 --output=samples.png
  tools/plot --what=history --train_dir=runs/photos,runs/photos_sgd

samples  A grid of pictures with their labels, as the network sees them: augmented for the train
         split, the central crop for the others. Without a --train_dir the flags say how they are
         preprocessed, as those of tools/train do.
history  Loss and accuracy over the epochs, of one --train_dir or of several with commas.
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

if TYPE_CHECKING:  # the import itself waits until a picture is drawn
  from vgg_slim.plotting.samples import Figure

_TRAIN_DIR = flags.DEFINE_string(
  'train_dir', None, 'Folder of a training run; history: of several, with commas.'
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, "Converted data set. By default the run's own.")
_SPLIT = flags.DEFINE_string('split', 'train', 'samples: of which split.')
_COUNT = flags.DEFINE_integer('count', 16, 'samples: how many pictures.', lower_bound=1)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File to write: .png, .pdf or .svg. By default WHAT.png.'
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
    raise ConfigError('--train_dir is missing: one or several folders of runs, with commas.')
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


# Each draws from the flags; its lines in the docstring above are its help.
PLOTS: dict[str, Callable[[], 'Figure']] = {
  'samples': _samples,
  'history': _history,
}
_WHAT = flags.DEFINE_enum('what', None, list(PLOTS), 'What to draw.')


def main() -> None:
  """Draws one plot of the table and writes it."""
  if _WHAT.value is None:
    raise ConfigError(f'--what is missing, one of {", ".join(PLOTS)}.')
  output = _OUTPUT.value or f'{_WHAT.value}.png'
  kind = output_files.check_suffix('--output', output, output_files.DRAWINGS)
  with output_files.open_outputs({'--output': output}) as streams:
    PLOTS[_WHAT.value]().savefig(streams['--output'], format=kind[1:])
  print(f'{output} is written.')


def _train_config() -> config.TrainConfig:
  """The run of --train_dir, or the one that the flags describe."""
  if _TRAIN_DIR.value:
    trained = config.read_train_config(_TRAIN_DIR.value)
    return dataclasses.replace(trained, data_dir=_DATA_DIR.value or trained.data_dir)
  if not _DATA_DIR.value:
    raise ConfigError('--train_dir or --data_dir is missing: what the pictures are of.')
  data_dir = os.path.abspath(_DATA_DIR.value)
  return config_flags.train_config_from_flags(data_dir, manifests.read_manifest(data_dir))


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
