"""Trains the VGG paper's networks thin and small, and prints its Tables 3 to 5 with our numbers.

  tools/paper_tables
  tools/paper_tables --data_dir=data/fashion_mnist --steps=2000 --folder=runs/paper

Twelve networks (A, A-LRN, B to E; S fixed, larger, jittered) at an eighth of the paper's width and
a seventh of its sides, by default on the digits that come with scikit-learn. Beside each error
stands the paper's on ImageNet. What comes out the other way round is said, and what of it may be
chance.
"""

import contextlib
import sys
import tempfile
from collections.abc import Sequence

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import invocation, terminal_tables
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import significance, tables

_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Converted data set. By default the digits.')
_FOLDER = flags.DEFINE_string(
  'folder', None, 'Where the runs are kept, to go on with. By default nowhere.'
)
_CHANNELS = flags.DEFINE_integer('channels', 8, 'Of the first stage; the paper has 64.')
_IMAGE_SIZE = flags.DEFINE_integer('image_size', 32, 'Side of a crop; the paper has 224.')
_STEPS = flags.DEFINE_integer('steps', 400, 'Of training, for each network.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of weights and order.')
_MODELS = flags.DEFINE_list('models', [], 'Only these, such as vgg_a,vgg_d. By default all.')

_HEADINGS = ('network', 'S', 'Q', 'view', 'top-1 error', '95 % interval', "paper's on ImageNet")
_COLUMNS = [tables.HEADINGS.index(heading) for heading in _HEADINGS[:-1]]


def main() -> None:
  """Wires data, training and tables together."""
  output_files.check_outputs(folders=invocation.values_by_flag(_FOLDER))
  invocation.load_tensorflow()
  from vgg_slim.benchmarks import paper_tables
  from vgg_slim.data.conversion import default_data

  data_dir = _DATA_DIR.value or str(default_data.digits_folder(default_data.cache_folder()))
  manifest = manifests.read_manifest(data_dir)
  manifest.split('validation')
  recipe = paper_tables.Recipe(
    channels=_CHANNELS.value, image_size=_IMAGE_SIZE.value, steps=_STEPS.value, seed=_SEED.value
  )
  settings = [s for s in paper_tables.TABLE_3 if not _MODELS.value or s.model in _MODELS.value]
  if not settings:
    raise ConfigError(f'--models={",".join(_MODELS.value)}: expected some of vgg_a to vgg_e.')
  with contextlib.ExitStack() as stack:
    folder = _FOLDER.value or stack.enter_context(tempfile.TemporaryDirectory())
    scored = paper_tables.run_all(
      settings, recipe, data_dir, manifest, folder, lambda text: print(text, file=sys.stderr)
    )
  print(f'{manifest.dataset}, {manifest.split("validation").num_examples} validation pictures')
  for number, rows in paper_tables.make_tables(scored).items():
    if rows:
      _print_rows(number, rows)
      _print_order(*paper_tables.find_disagreements(rows))


def _print_rows(number: int, rows: Sequence[tuple]) -> None:
  shown = []
  for line, paper_error in rows:
    cells = tables.cells(line.result)
    shown.append([*(cells[i] for i in _COLUMNS), f'{paper_error:.1f}%'])
  text_columns = _HEADINGS.index('top-1 error')
  terminal_tables.print_table(_HEADINGS, shown, f'Table {number}', text_columns)


def _print_order(other_way: Sequence[tuple], total: int) -> None:
  chance = [significance.mcnemar(a.line.hits, b.line.hits).p_value >= 0.05 for a, b in other_way]
  print(
    f'{len(other_way)} of {total} pairs of lines come out the other way round than in the paper; '
    f'{sum(chance)} of these {len(other_way)} are within chance (McNemar, p >= 0.05).'
  )
  for a, b in other_way:
    better, worse = sorted((a.line.result, b.line.result), key=lambda r: r.top_1_error)
    print(f'  here {_describe(better)} beats {_describe(worse)}')
  print()


def _describe(result: object) -> str:
  return f'{result.model} S={result.train_scale} {result.view}'


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
