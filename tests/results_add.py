"""Adds a training run to docs/results: its curve, its numbers and the commands that made them.

  .venv/bin/python -m tests.results_add runs/digits --tutorial=tutorials/layers.md
  make results ADD=runs/digits ARGS='--name=digits_seed_1 --take=best'

Reads metrics.csv and config.json of the run (or of its phases), the commands in command.txt, and
each file of `tools/evaluate --output` in the folder, whose number becomes a score of its own; they
must agree on the network, the data set and the steps. Run it on the machine that trained, before
the folder is copied: the duration is that from the first event file to metrics.csv, pauses
included, and the processor is that of this machine. What cannot be read so has a flag. A run of the
same name is replaced. README, recipes and tutorials are left alone; `tests/results_test.py` then
says which of them contradict the table.
"""

import argparse
import datetime
import json
import math
import pathlib
import re
import shlex
import sys
from collections.abc import Container, Iterable, Iterator, Sequence

from tests import results
from vgg_slim import processor
from vgg_slim.benchmarks import machine
from vgg_slim.commands import installation, phases
from vgg_slim.configs import config
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import VggSlimError
from vgg_slim.training import history

_SHOWN_SETS = {'avx2': 'AVX2', 'avx512f': 'AVX-512', 'avx512_bf16': 'bf16', 'amx_tile': 'AMX'}
_RECIPE = re.compile(r'--(?:recipe=|flagfile=\S*?recipes/)(\w+)')
_EVENTS = re.compile(r'events\.out\.tfevents\.(\d+)\.')
_REDIRECTION = re.compile(r'\s+(?:[12&]?>|\||&\s*$).*')
# Flags that make no difference to what a recipe trains.
_HARMLESS = {
  *('recipe', 'flagfile', 'train_dir', 'seed', 'num_threads', 'gpus'),
  *('gpu_memory_growth', 'log_every_steps', 'progress', 'quiet', 'verbose'),
  *('image_summary_every_steps', 'keep_checkpoints'),
}


RECIPES = {name: path.read_text(encoding='utf-8') for name, path in installation.recipes().items()}


class RunError(Exception):
  """Something that the folder of a run does not say."""


def commands_of(text: str, root: pathlib.Path) -> str:
  """Returns the commands in command.txt as a reader would give them, one per line.

  Whatever is not a command of `tools/`, or stands in front of one (`timeout`, the interpreter), and
  redirections are left out, paths below `root` become relative, and continued lines are joined.
  """
  lines = []
  for line in text.replace('\\\n', ' ').replace('&&', '\n').splitlines():
    line = line.strip()
    line = re.sub(r'^.*?-m\s+vgg_slim\.commands\.(\w+)', r'tools/\1', line)
    line = line[line.find('tools/') :] if 'tools/' in line and not line.startswith('#') else ''
    line = ' '.join(_REDIRECTION.sub('', line).replace(f'{root}/', '').split())
    if line:
      lines.append(line)
  return '\n'.join(lines)


def changed_flags(command: str) -> str | None:
  """Returns the flags of `tools/train` that change its recipe; None if there are none."""
  recipe = next(iter(_RECIPE.findall(command)), None)
  data = _data_set(_recipe_words(recipe))
  changed = [
    word
    for word in _train_words(command)
    if word.startswith('--')
    and word[2:].partition('=')[0] not in _HARMLESS
    and not (word.startswith('--data_dir=') and _data_set([word]) == data)
  ]
  return ' '.join(changed) or None


def _train_words(command: str) -> list[str]:
  """The words of the commands that train."""
  lines = command.splitlines()
  return [w for line in lines if line.startswith('tools/train ') for w in shlex.split(line)]


def _recipe_words(recipe: str | None) -> list[str]:
  """The flags of a recipe; none without a recipe, or of one that there is not."""
  return shlex.split(RECIPES.get(recipe or '', ''), comments=True)


def _values(words: Iterable[str]) -> dict[str, str]:
  """The values of flags, by name with dashes; of several values the last."""
  return dict(word.partition('=')[::2] for word in words)


def _data_set(words: Iterable[str]) -> str:
  """The name of the folder of the data set, which may be anywhere."""
  return pathlib.PurePath(_values(words).get('--data_dir', '')).name


def describe_processor() -> str:
  """Returns name, cores and instruction sets of this machine, such as 'AMD EPYC, 2 cores, AVX2'."""
  seen = machine.observe(processor.activity())
  sets = [name for flag, name in _SHOWN_SETS.items() if flag in seen.instruction_sets]
  if len(sets) > 1:
    sets.remove('AVX2')
  cores = f'{seen.cores} core{"s" if seen.cores > 1 else ""}'
  return ', '.join([seen.processor, cores, *sets])


def _seconds(folders: Sequence[pathlib.Path]) -> float:
  seconds = 0.0
  for folder in folders:
    begin, end = folder / config.CONFIG_FILE, folder / history.METRICS_FILE
    if not begin.is_file():
      raise RunError(f'{folder} has no {config.CONFIG_FILE}: give --minutes.')
    # A resumed run writes its config.json again.
    starts = [int(stamp) for path in folder.iterdir() for stamp in _EVENTS.findall(path.name)]
    seconds += end.stat().st_mtime - min([begin.stat().st_mtime, *starts])
  if seconds <= 0:
    raise RunError(f'{folders[0]} was copied, so its files have no times: give --minutes.')
  return float(round(seconds))


def _validation_images(trained: config.TrainConfig | None) -> int:
  if trained is None:
    raise RunError('the run has no config.json: give --images, the number of validation images.')
  return manifests.read_manifest(trained.data_dir).split('validation').num_examples


def _check_command(command: str, recipe: str | None, trained: config.TrainConfig) -> None:
  """Raises RunError if the commands train another network, or on another data set, than the run."""
  words = [*_recipe_words(recipe), *_train_words(command)]
  told = {'model': _values(words).get('--model'), 'data_dir': _data_set(words)}
  own = {'model': trained.net.model, 'data_dir': pathlib.PurePath(trained.data_dir).name}
  problems = [
    f'{name} is {told[name]} in the commands, {own[name]} in config.json'
    for name in own
    if told[name] and told[name] != own[name]
  ]
  if problems:
    raise RunError(f'this is not the run of its commands: {"; ".join(problems)}.')


def _evaluations(
  folder: pathlib.Path, name: str, trained: config.TrainConfig | None, steps: Container[int]
) -> Iterator[tuple[results.Score, dict]]:
  for path in sorted(folder.glob('*.json')):
    values = json.loads(path.read_text(encoding='utf-8'))
    if 'top_1_error' not in values:
      continue
    kept = {key: value for key, value in values.items() if key not in ('tables', 'mcnemar')}
    if kept['step'] not in steps or (trained and kept['model'] != trained.net.model):
      raise RunError(f'{path} is of {kept["model"]} at step {kept["step"]}, which is another run.')
    kept['checkpoint'] = pathlib.PurePath(kept['checkpoint']).name
    accuracy, images = round(1 - kept['top_1_error'], 6), kept['num_images']
    how = f'{kept["view"]}, Q = {", ".join(map(str, kept["test_scales"]))}'
    file = f'{name}.{path.name}'
    interval = results.interval_of(accuracy, images)
    yield results.Score(kept['split'], how, images, accuracy, interval, file), kept


def _other(text: str) -> results.Other:
  value, _, rest = text.partition(':')
  split, _, what = rest.partition(':')
  if not (what and split in ('validation', 'test') and 0 < float(value) <= 1):
    raise argparse.ArgumentTypeError(f'{text!r} is not like 0.935:test:of what')
  return results.Other(float(value), what, split)


def _name(text: str) -> str:
  if not re.fullmatch(r'\w+', text):
    raise argparse.ArgumentTypeError(f'{text!r} has other characters than letters, digits and _')
  return text


def _date(text: str) -> str:
  return datetime.date.fromisoformat(text).isoformat()


def _positive(text: str) -> float:
  if not 0 < float(text) < math.inf:
    raise argparse.ArgumentTypeError(f'{text} is not above 0')
  return float(text)


def _count(text: str) -> int:
  if int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text} is not at least 1')
  return int(text)


def _page(text: str) -> str:
  if not (results.PAGE.parent / text).is_file():
    raise argparse.ArgumentTypeError(f'there is no docs/{text}')
  return text


def make_run(
  given: argparse.Namespace, known: Sequence[results.Run]
) -> tuple[results.Run, dict[str, str]]:
  """Returns the run in the folder `given.run`, and the files to keep of it by name.

  Args:
    given: flags of the command.
    known: runs of the table, which say what was published for a recipe.

  Raises:
    RunError: the folder does not say something that has a flag.
    VggSlimError: the folder is not that of a run.
  """
  folder = pathlib.Path(given.run).resolve()
  name = given.name or folder.name
  rows = phases.read_history(str(folder))
  folders = [pathlib.Path(path) for path in phases.find(str(folder))] or [folder]
  folders = [each for each in folders if (each / history.METRICS_FILE).exists()]
  has_config = (folders[-1] / config.CONFIG_FILE).exists()
  trained = config.read_train_config(str(folders[-1])) if has_config else None
  # Paths are given from the folder that has the folder of all runs.
  root = next((each.parent for each in folder.parents if each.name == 'runs'), folder.parent)
  written = folder / 'command.txt'
  if not given.command and not written.is_file():
    raise RunError(f'{written} does not exist: write the commands into it, or give --command.')
  command = given.command or commands_of(written.read_text(encoding='utf-8'), root)
  if not command:
    raise RunError(f'{written} has no command of tools/: give --command.')
  recipe = given.recipe or next(iter(_RECIPE.findall(command)), None)
  if recipe and recipe not in RECIPES:
    raise RunError(f'there is no recipe {recipe}, only {", ".join(RECIPES)}.')
  if trained:
    _check_command(command, recipe, trained)
  same = [run for run in known if recipe and run.recipe == recipe]
  take = given.take or ('best' if trained and trained.run.keep_best else 'last')
  scores = []
  if rows[-1].validation_accuracy is not None:
    images = given.images or _validation_images(trained)
    accuracy = results.accuracy_in(rows, take)
    scores.append(
      results.Score(
        'validation',
        f'central crops, {take} epoch',
        images,
        accuracy,
        results.interval_of(accuracy, images),
        take,
      )
    )
  files = {f'{name}.csv': history.format_rows(rows)}
  for score, kept in _evaluations(folder, name, trained, {row.step for row in rows}):
    scores.append(score)
    files[str(score.source)] = json.dumps(kept, indent=2) + '\n'
  if not scores:
    raise RunError(f'{folder} has no validation accuracy and no file of tools/evaluate --output.')
  rates = [row.images_per_second for row in rows if row.images_per_second]  # 0 is not known
  changed = changed_flags(command) if recipe else None
  is_same = not (changed and re.search(r'--(?:model|data_dir)=', changed))
  end = (folders[-1] / history.METRICS_FILE).stat().st_mtime
  published = tuple(given.published) or next((r.published for r in same if r.published), ())
  run = results.Run(
    name,
    given.what or next((r.what for r in same if is_same), '') or _what(trained, name),
    'measured',
    tuple(scores),
    published=published,
    recipe=recipe,
    tutorial=given.tutorial or next((r.tutorial for r in same), None),
    seeds=(trained.run.seed if trained else given.seed,),
    seconds=60 * given.minutes if given.minutes else _seconds(folders),
    images_per_second=(float(f'{min(rates):.4g}'), float(f'{max(rates):.4g}')),
    processor=given.processor or f'{describe_processor()}, beside other work',
    date=given.date
    or datetime.datetime.fromtimestamp(end, datetime.timezone.utc).date().isoformat(),
    command=command,
    curve=f'{name}.csv',
    differs='; '.join(filter(None, [changed, given.differs])) or None,
  )
  return run, files


def _what(trained: config.TrainConfig | None, name: str) -> str:
  if trained is None:
    raise RunError(f'{name} has no config.json: give --what, what was trained on what.')
  return f'{trained.net.model} on {pathlib.PurePath(trained.data_dir).name}'


def add(given: argparse.Namespace, folder: pathlib.Path = results.FOLDER) -> results.Run:
  """Adds the run to the table in `folder` and writes its files; errors are those of `make_run`."""
  table = folder / results.TABLE.name
  known = results.read_runs(table)
  run, files = make_run(given, known)
  for name, text in files.items():
    (folder / name).write_text(text, encoding='utf-8')
  measured = [r for r in known if r.status == 'measured' and r.name != run.name]
  # What was published for its recipe is now beside it.
  others = [
    r
    for r in known
    if r.status != 'measured'
    and r.name != run.name
    and not (r.status == 'published' and r.recipe == run.recipe)
  ]
  results.write_runs([*measured, run, *others], table)
  return run


def parser() -> argparse.ArgumentParser:
  """Returns the parser of the flags."""
  flags = argparse.ArgumentParser(description=__doc__, prog='results_add')
  flags.formatter_class = argparse.RawDescriptionHelpFormatter
  flags.add_argument('run', help='folder of the run, its phases, or the history of a head')
  flags.add_argument('--name', type=_name, help='name in the table; by default that of the folder')
  flags.add_argument('--what', help='what was trained on what')
  flags.add_argument('--take', choices=('best', 'last'), help='epoch whose accuracy counts')
  flags.add_argument('--recipe', help='by default the one in the command')
  flags.add_argument('--tutorial', type=_page, help='page in docs/ that describes the run')
  flags.add_argument(
    '--published', type=_other, action='append', default=[], metavar='FRACTION:SPLIT:OF_WHAT'
  )
  flags.add_argument('--differs', help='what differs from the recipe or what was published')
  flags.add_argument('--command', help='instead of command.txt')
  flags.add_argument('--processor', help='where it was not this machine')
  flags.add_argument('--minutes', type=_positive, help='duration of the training')
  flags.add_argument('--images', type=_count, help='number of validation images')
  flags.add_argument('--seed', type=int, default=0, help='where config.json does not say it')
  flags.add_argument('--date', type=_date, help='such as 2026-11-29')
  return flags


def main() -> None:
  given = parser().parse_args()
  try:
    run = add(given)
  except (RunError, VggSlimError, OSError, ValueError) as error:
    sys.exit(f'results_add: error: {error}')
  for score in run.scores:
    low, high = score.interval
    print(f'{run.name}, {score.split}, {score.how}: {score.accuracy:.2%} ({low:.2%} to {high:.2%})')
  if run.published:
    print('Published:', '; '.join(f'{o.value:.2%}, {o.what}' for o in run.published))
  results.main()


if __name__ == '__main__':
  main()
