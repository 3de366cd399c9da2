"""The commands that are killed, with their flags, what they write, and what they read."""

import dataclasses
import functools
import importlib
import os
import pathlib
from collections.abc import Callable

import numpy as np
import PIL.Image

from tests.faults import lives
from vgg_slim.commands import invocation

# Imported once, before the forks.
PRELOADED = (
  'matplotlib.pyplot',
  'tensorflow.keras',
  'vgg_slim.api',
  'vgg_slim.data.conversion.converter',
  'vgg_slim.evaluation.eval_config',
  'vgg_slim.evaluation.predictor',
  'vgg_slim.evaluation.report',
  'vgg_slim.evaluation.runner',
  'vgg_slim.evaluation.validation',
  'vgg_slim.export.exporter',
  'vgg_slim.features.combine',
  'vgg_slim.features.head',
  'vgg_slim.training.loop',
  'vgg_slim.weights.exporter',
  'vgg_slim.weights.importer',
)
OLD = 'old'  # content of files that are replaced
_STEPS = 6


@dataclasses.dataclass(frozen=True)
class Subject:
  """A command that is killed.

  Attributes:
    command: name of the command.
    flags: function from the folder of the inputs and the folder of the outputs to the flags.
    outputs: paths in the folder of the outputs; a folder or file counts as written when it exists.
    replaced: those of `outputs` that exist before, with other content.
    share: number of kills in proportion to other commands.
  """

  command: str
  flags: Callable[[pathlib.Path, pathlib.Path], list[str]]
  outputs: tuple[str, ...]
  replaced: tuple[str, ...] = ()
  share: int = 4

  def start(
    self,
    inputs: pathlib.Path,
    folder: pathlib.Path,
    log: pathlib.Path,
    prepare: Callable[[], None] = lambda: None,
  ) -> None:
    """Runs the command in this process; the temporary folder is in `folder` as well.

    Args:
      inputs: folder of the inputs.
      folder: folder of the outputs.
      log: file for what the command writes to stderr; results go to a file beside it.
      prepare: called when all this is set up.
    """
    module = importlib.import_module(f'vgg_slim.commands.{self.command}')
    os.environ['TMPDIR'] = str(folder / 'tmp')
    for stream, path in ((1, log.with_suffix('.out')), (2, log)):
      os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), stream)
    prepare()
    invocation.run(module.main, [self.command, *self.flags(inputs, folder)])

  def prepare(self, folder: pathlib.Path) -> None:
    """Makes the folder of the outputs, with the files that the command replaces."""
    (folder / 'tmp').mkdir(parents=True)
    for name in self.replaced:
      (folder / name).write_text(OLD)


_TRAIN_FLAGS = (
  *('--model=vgg_a@8', '--fc_units=8', '--initializer=glorot', '--batch_size=4'),
  *(f'--max_steps={_STEPS}', '--save_every_steps=2', '--keep_best'),
)
SUBJECTS = {
  'train': Subject(
    'train',
    lambda inputs, folder: [
      *(*_TRAIN_FLAGS, f'--data_dir={inputs / "data"}', f'--train_dir={folder / "run"}'),
    ],
    (),  # a run that is not at its end has no output yet
  ),
  'convert, one process': Subject(
    'convert_to_tfrecord',
    lambda inputs, folder: [
      *('--dataset=folder', f'--input_dir={inputs / "photos"}', f'--output_dir={folder / "data"}'),
      *('--num_shards=5', '--num_workers=1'),
    ],
    ('data',),
    share=8,
  ),
  'convert, two workers': Subject(
    'convert_to_tfrecord',
    lambda inputs, folder: [
      *('--dataset=folder', f'--input_dir={inputs / "photos"}', f'--output_dir={folder / "data"}'),
      *('--num_shards=5', '--num_workers=2', '--validation_fraction=0.5'),
    ],
    ('data',),
    share=2,
  ),
  'evaluate': Subject(
    'evaluate',
    lambda inputs, folder: [
      *(f'--train_dir={inputs / "run"}', '--views=center,dense'),
      *(f'--{flag}={folder / "r"}.{flag}' for flag in ('csv', 'report', 'output')),
    ],
    ('r.csv', 'r.report', 'r.output'),
    replaced=('r.csv', 'r.output'),
    share=6,
  ),
  'predict': Subject(
    'predict',
    lambda inputs, folder: [
      *(f'--train_dir={inputs / "run"}', str(inputs / 'photos')),
      *(f'--output={folder / "p.csv"}', f'--grid={folder / "grid.png"}'),
    ],
    ('p.csv', 'grid.png'),
    replaced=('p.csv',),
    share=6,
  ),
  'extract_features': Subject(
    'extract_features',
    lambda inputs, folder: [
      *(f'--train_dir={inputs / "run"}', f'--data_dir={inputs / "data"}', '--passes=3'),
      *('--batch_size=4', f'--output={folder / "features"}'),
    ],
    ('features/features.json', 'features/train.npz', 'features/validation.npz'),
    share=6,
  ),
  'train_head': Subject(
    'train_head',
    lambda inputs, folder: [
      *(f'--features={inputs / "features"}', f'--checkpoint_path={inputs / "run"}'),
      *('--epochs=3', '--early_stop_patience=9', f'--output={folder / "w"}'),
    ],
    ('w.index', 'w_history'),
    share=6,
  ),
  'import_weights, .npz': Subject(
    'import_weights',
    lambda inputs, folder: [
      *(f'--from={inputs / "w.npz"}', '--model=vgg_a@8', f'--output={folder / "w"}'),
      *('--rgb_mean=0,0,0', f'--report={folder / "names.txt"}'),
    ],
    ('w.index', 'names.txt'),
    share=4,
  ),
  'import_weights, .h5': Subject(
    'import_weights',
    lambda inputs, folder: [
      *(f'--from={inputs / "w.weights.h5"}', '--model=vgg_a@8', f'--output={folder / "w"}'),
      '--rgb_mean=0,0,0',
    ],
    ('w.index',),
    share=2,
  ),
  'export_weights, .npz': Subject(
    'export_weights',
    lambda inputs, folder: [f'--checkpoint_path={inputs / "run"}', f'--output={folder / "x.npz"}'],
    ('x.npz',),
    share=3,
  ),
  'export_weights, .weights.h5': Subject(
    'export_weights',
    lambda inputs, folder: [
      f'--checkpoint_path={inputs / "run"}',
      f'--output={folder / "x.weights.h5"}',
    ],
    ('x.weights.h5',),
    share=2,
  ),
  'export_model, SavedModel': Subject(
    'export_model',
    lambda inputs, folder: [f'--checkpoint_path={inputs / "run"}', f'--output={folder / "x"}'],
    ('x',),
    share=3,
  ),
  'export_model, TFLite': Subject(
    'export_model',
    lambda inputs, folder: [
      *(f'--checkpoint_path={inputs / "run"}', f'--output={folder / "x"}', '--format=tflite'),
    ],
    ('x',),
    share=2,
  ),
}


def make_inputs(folder: pathlib.Path) -> None:
  """Makes images, a data set, a run, features and files of weights, each in a fork."""
  _draw_images(folder / 'photos')
  log = folder / 'log.txt'
  made = [
    Subject(
      'convert_to_tfrecord',
      lambda inputs, out: [
        *('--dataset=folder', f'--input_dir={inputs / "photos"}', f'--output_dir={out / "data"}'),
        *('--num_workers=1', '--validation_fraction=0.5', '--num_shards=3'),
      ],
      (),
    ),
    SUBJECTS['train'],
    SUBJECTS['extract_features'],
    dataclasses.replace(
      SUBJECTS['export_weights, .npz'],
      flags=lambda inputs, out: [f'--checkpoint_path={inputs / "run"}', f'--output={out}/w.npz'],
    ),
    dataclasses.replace(
      SUBJECTS['export_weights, .weights.h5'],
      flags=lambda i, out: [f'--checkpoint_path={i / "run"}', f'--output={out}/w.weights.h5'],
    ),
  ]
  for subject in made:
    (folder / 'tmp').mkdir(exist_ok=True)
    code = lives.await_end(lives.fork(functools.partial(subject.start, folder, folder, log)))
    assert code == 0, f'{subject.command}: {log.read_text()[-3000:]}'


def _draw_images(folder: pathlib.Path, per_class: int = 12, side: int = 32) -> None:
  random = np.random.default_rng(0)
  for label, name in enumerate(('cat', 'dog')):
    (folder / name).mkdir(parents=True)
    for number in range(per_class):
      pixels = random.integers(100 * label, 100 * label + 100, [side, side, 3]).astype(np.uint8)
      PIL.Image.fromarray(pixels).save(folder / name / f'{number}.png')
