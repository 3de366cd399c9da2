"""Trains small, thin versions of the VGG paper's networks and prints its Tables 3 to 5 for them.

  tools/paper_tables
  tools/paper_tables --data_dir=data/fashion_mnist --steps=2000 --folder=runs/paper

Twelve networks (A, A-LRN, B to E; S fixed, larger, jittered) are trained at an eighth of the width
and a seventh of the image sides of the paper, with 128 units in fc6 and fc7 and without dropout, by
default on the digits that come with scikit-learn. As in the paper, B to E start from A, a larger S
from the smaller one and a jittered S from the larger one, so that networks have up to four times
the steps of A. Each error is listed next to the paper's on
ImageNet. Pairs of results that are ordered differently from the paper are listed, with a test of
whether that may be chance.
"""

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim import output_files
from vgg_slim.benchmarks.paper_errors import TABLE_3
from vgg_slim.checkpoints import prefixes
from vgg_slim.commands import interruption, invocation, progress, terminal_tables
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import significance, tables
from vgg_slim.nets import specs
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow, which is only loaded after the checks
  from vgg_slim.evaluation import results

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of a converted data set. Defaults to the handwritten digits.'
)
_FOLDER = flags.DEFINE_string(
  'folder', None, 'Folder to keep the runs in, so that they can be resumed. By default not kept.'
)
_CHANNELS = flags.DEFINE_integer(
  'channels', 8, 'Number of channels in the first stage; the paper has 64.', lower_bound=1
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size', 32, 'Side of the crops, in pixels; the paper has 224.', lower_bound=1
)
_STEPS = flags.DEFINE_integer('steps', 400, 'Number of training steps per network.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Random seed for weight initialization and shuffling.')
_MODELS = flags.DEFINE_list(
  'models', [], 'Comma-separated networks to train, such as vgg_a,vgg_d. Defaults to all.'
)

_HEADINGS = ('network', 'S', 'Q', 'view', 'top-1 error', '95 % interval', "paper's on ImageNet")
_COLUMNS = [tables.HEADINGS.index(heading) for heading in _HEADINGS[:-1]]


def main() -> None:
  """Trains and evaluates the networks, and prints the tables."""
  _check_flags()
  data_dir, manifest = _read_data()
  invocation.load_tensorflow()
  from vgg_slim.benchmarks import paper_tables

  recipe = paper_tables.Recipe(
    channels=_CHANNELS.value, image_size=_IMAGE_SIZE.value, steps=_STEPS.value, seed=_SEED.value
  )
  settings = [s for s in TABLE_3 if not _MODELS.value or s.model in _MODELS.value]
  with contextlib.ExitStack() as stack:
    folder = _FOLDER.value or stack.enter_context(tempfile.TemporaryDirectory())
    reporter = progress.reporter(sys.stderr)
    try:
      scored = paper_tables.run_all(settings, recipe, data_dir, manifest, folder, reporter)
    except KeyboardInterrupt as interrupt:
      number = interruption.signal_of(interrupt)
      raise KeyboardInterrupt(number, _describe_interrupt()) from None
    finally:
      reporter.clear()
  images = counted(manifest.split('validation').num_examples, 'validation image')
  channels, steps = counted(recipe.channels, 'channel'), counted(recipe.steps, 'step')
  print(
    f'{_DATA_DIR.value or manifest.dataset}, {images}; networks with {channels} in the first stage '
    f'at {recipe.image_size} px, {steps} after those of their starts, seed {recipe.seed}'
  )
  for number, rows in paper_tables.make_tables(scored).items():
    if rows:
      _print_rows(number, rows)
      _print_disagreements(*paper_tables.find_disagreements(rows))


def _read_data() -> tuple[str, manifests.Manifest]:
  """Returns the folder of the data set, and its manifest, which has a split to score."""
  from vgg_slim.data.conversion import default_data

  data_dir = _DATA_DIR.value or str(default_data.digits_folder(default_data.cache_folder()))
  manifest = manifests.read_manifest(data_dir)
  if 'validation' not in manifest.splits:
    raise DataError(
      f'--data_dir={data_dir} has no validation split to score, only {", ".join(manifest.splits)}. '
      'Convert it with --validation_fraction=0.1.'
    )
  return data_dir, manifest


def _describe_interrupt() -> str:
  if not _FOLDER.value:
    return 'interrupted; nothing is kept without --folder.'
  return f'interrupted; {_FOLDER.value} holds what is trained. The same command continues.'


def _check_flags() -> None:
  output_files.check_outputs(folders=invocation.values_by_flag(_FOLDER))
  if _FOLDER.value:
    prefixes.check_output(_FOLDER.value, '--folder')
  models = dict.fromkeys(setting.model for setting in TABLE_3)
  unknown = [model for model in _MODELS.value if model not in models]
  if unknown:
    raise ConfigError(f'--models={",".join(unknown)}: expected some of {", ".join(models)}.')
  for model in models:
    specs.get(model).map_side(_IMAGE_SIZE.value)


def _print_rows(number: int, rows: Sequence[tuple]) -> None:
  shown = []
  for line, paper_error in rows:
    cells = tables.cells(line.result)
    shown.append([*(cells[i] for i in _COLUMNS), f'{paper_error:.1f}%'])
  text_columns = _HEADINGS.index('top-1 error')
  terminal_tables.print_table(_HEADINGS, shown, f'Table {number}', text_columns)


def _print_disagreements(pairs: Sequence[tuple], total: int) -> None:
  if not total:
    return
  chance = [significance.mcnemar(a.line.hits, b.line.hits).p_value >= 0.05 for a, b in pairs]
  print(
    f'{len(pairs)} of {total} pairs of lines are ordered differently from the paper, {sum(chance)} '
    'of them within chance (McNemar, p >= 0.05).'
  )
  for (a, b), is_chance in zip(pairs, chance, strict=True):
    better, worse = sorted((a.line.result, b.line.result), key=lambda r: r.top_1_error)
    note = ' (within chance)' if is_chance else ''
    print(f'  here {_describe(better)} beats {_describe(worse)}{note}')
  print()


def _describe(result: 'results.EvalResult') -> str:
  return f'{result.model} S={result.train_scale} {result.view}'


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
