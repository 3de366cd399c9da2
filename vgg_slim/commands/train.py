"""Trains a network, from scratch, from given weights, or resuming the run in --train_dir.

  tools/train --model=vgg16
  tools/train --recipe=digits_vgg16
  tools/train --model=vgg16_bn --data_dir=data/photos --train_dir=runs/photos --epochs=60
  tools/train --data_dir=data/photos --weights=imagenet --model=vgg16 \\
      --phase='head epochs=5 trainable_scopes=head' --phase='all epochs=10 learning_rate=1e-5'
  tools/train --data_dir=data/photos --model=vgg16 --optimizer=adam --find_learning_rate

Without --data_dir it trains on the handwritten digits that come with scikit-learn. Running the same
command again resumes a run from its newest checkpoint, and so does --train_dir alone: settings that
are not given stay as they were. Ctrl-C saves a checkpoint and stops. A run is only removed by
--overwrite, and only one process at a time writes to --train_dir.
"""

import contextlib
import functools
import io
import os
import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim import output_files, similar_paths, terminal
from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.commands import (
  flag_files,
  installation,
  interruption,
  invocation,
  phases,
  progress,
  rate_search,
  run_plan,
)
from vgg_slim.commands.flags import checkpoint_flags, config_flags, recommended_flags
from vgg_slim.configs.config import BEST_FOLDER
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import eval_config
from vgg_slim.training import cluster
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow, which is only loaded after the checks
  from vgg_slim.training import loop

_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Folder made by tools/convert_to_tfrecord. Defaults to the handwritten digits.',
)
_TRAIN_DIR = flags.DEFINE_string(
  'train_dir',
  None,
  'Folder for checkpoints and curves. Defaults to runs/DATA_MODEL, where DATA is the name of the '
  'folder in --data_dir, or digits.',
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'Remove the run in --train_dir, listing its files, and start from scratch.'
)
_VALIDATION_BATCH_SIZE = flags.DEFINE_integer(
  'validation_batch_size',
  None,
  'Number of images per batch of a validation. Defaults to 64, or to fewer that '
  'fit into --memory_budget.',
  lower_bound=1,
)
config_flags.define_train_flags()
phases.define_phase_flag()
rate_search.define_flags()
flag_files.define_recipe_flag()


def main() -> None:
  """Trains one run, or one after another for the phases; only the chief worker prints."""
  workers = cluster.read_cluster()
  is_chief = workers is None or workers.index == 0
  with (
    contextlib.nullcontext() if is_chief else contextlib.redirect_stdout(io.StringIO()),
    interruption.answered(_say),
  ):
    _train_all(workers)


def _say(line: str) -> None:
  """Shows a line below the status line and the terminal's ^C."""
  print(f'\n{line}' if sys.stderr.isatty() else line, file=sys.stderr, flush=True)


def _train_all(workers: cluster.Cluster | None) -> None:
  if _TRAIN_DIR.value:
    prefixes.check_output(_TRAIN_DIR.value, '--train_dir')
  parts = phases.phases_from_flags()
  if rate_search.is_requested():
    _find_learning_rate(parts)
    return
  if not parts:
    plan = run_plan.plan_run(_DATA_DIR.value, _TRAIN_DIR.value, overwrite=_OVERWRITE.value)
    phases.check_folder(plan.train_dir, has_phases=False)
    _print_end(_train(plan, workers), plan)
    return
  if workers:
    raise ConfigError('--phase cannot be used with TF_CONFIG; run one command per phase instead.')
  # Plan all phases before the first starts, so that an error in the last one is reported now.
  parent = _TRAIN_DIR.value or _plan_phases(parts, run_plan.plan_new_run)[-1].train_dir
  phases.check_folder(parent, has_phases=True)
  plan_fn = functools.partial(run_plan.plan_run, overwrite=_OVERWRITE.value)
  _plan_phases(parts, plan_fn, parent)
  checkpoint = None
  for part in parts:
    with phases.applied(phases.following(checkpoint, part) if checkpoint else part):
      train_dir = phases.train_dir(parent, part)
      plan = run_plan.plan_run(_DATA_DIR.value, train_dir, overwrite=_OVERWRITE.value)
      result = _train(plan, None)
    _print_end(result, plan)
    if result.stopped_by:
      if result.is_complete and part is not parts[-1]:
        terminal.show(f'Run the same command{_without_overwrite()} for the phases that are left.')
      return
    best = _best_folder(plan)
    checkpoint = checkpoint_flags.resolve(best) if best else result.checkpoint


def _find_learning_rate(parts: list[phases.Phase]) -> None:
  """Searches a learning rate for the run, or for the first of its phases."""
  with phases.applied(parts[0]) if parts else contextlib.nullcontext():
    parent = _TRAIN_DIR.value
    train_dir = phases.train_dir(parent, parts[0]) if parts and parent else parent
    plan = run_plan.plan_run(_DATA_DIR.value, train_dir, overwrite=_OVERWRITE.value)
    rate_search.run(plan, _OVERWRITE.value)


def _plan_phases(
  parts: list[phases.Phase], plan_fn: Callable[..., run_plan.RunPlan], parent: str | None = None
) -> list[run_plan.RunPlan]:
  """Plans each phase as if those before it had been trained.

  Args:
    parts: phases in order.
    plan_fn: `run_plan.plan_run`, or `plan_new_run` to determine the default folder.
    parent: folder that contains the train_dirs of all phases; None if not known yet.
  """
  plans: list[run_plan.RunPlan] = []
  start, before = None, ''
  for part in parts:
    train_dir = parent and phases.train_dir(parent, part)
    with phases.applied(phases.following(before, part) if start else part):
      is_own = not part.overrides.keys().isdisjoint({'checkpoint_path', 'weights'})
      plans.append(plan_fn(_DATA_DIR.value, train_dir, None if is_own else start))
    made = contract.from_train_config(plans[-1].config)
    before = f'(the checkpoint of phase {part.folder})'
    start = config_flags.Start(before, made)
  return plans


def _print_end(result: 'loop.TrainResult', plan: run_plan.RunPlan) -> None:
  if result.stopped_by and not result.is_complete:
    terminal.show(
      f'{result.stopped_by} at step {result.step} of {result.total_steps}: saved as '
      f'{result.checkpoint}. Run the same command{_without_overwrite()} to resume.'
    )
    return
  if result.stopped_by:
    terminal.show(f'{result.stopped_by} came in the last step: training is complete.')
  if result.ended_early:
    terminal.show(f'Ended early: {result.ended_early}.')
  if result.step > result.total_steps:
    terminal.show(
      f'Nothing was trained: the run is at step {result.step} already, past the requested '
      f'{result.total_steps}; {result.checkpoint}.'
    )
  else:
    terminal.show(f'Done: step {result.step} of {result.total_steps}, {result.checkpoint}.')
  print(f'Evaluate:    {_evaluation(plan.train_dir, plan.manifest.splits)}')
  if result.validation:
    flips = eval_config.flips_by_default(plan.config.preprocessing, plan.manifest)
    mirrored = ', also mirrored' if flips else ''
    print(f'{"":13}scores whole images{mirrored}; the validation above, central crops')
  if best := _best_folder(plan):
    print(f'Best epoch:  {_evaluation(best, plan.manifest.splits)}')
  logdir = os.path.dirname(os.path.normpath(plan.train_dir)) or '.'
  print(f'Look at it:  {installation.script("tensorboard")} --logdir={shlex.quote(logdir)}')


def _best_folder(plan: run_plan.RunPlan) -> str | None:
  """Returns the folder of the best checkpoint if the run keeps one and has it."""
  folder = os.path.join(plan.train_dir, BEST_FOLDER)
  return folder if plan.config.run.keep_best and prefixes.find_prefix(folder) else None


def _without_overwrite() -> str:
  return ' without --overwrite' if _OVERWRITE.value else ''


def _evaluation(train_dir: str, splits: Collection[str]) -> str:
  """The command that evaluates a run, on the training split if the data set has no other."""
  split = manifests.split_to_evaluate(splits)
  option = '' if split == 'validation' else f' --split={split}'
  return f'{installation.call("evaluate")} --train_dir={shlex.quote(train_dir)}{option}'


def _train(plan: run_plan.RunPlan, workers: cluster.Cluster | None) -> 'loop.TrainResult':
  config, manifest, train_dir = plan.config, plan.manifest, plan.train_dir
  output_files.check_outputs(folders={'--train_dir': train_dir})
  invocation.load_tensorflow()
  from vgg_slim import api

  reporter = progress.reporter()
  train = manifest.split('train')
  reporter.line(
    f'{config.net.model} at {config.net.image_size} px on '
    f'{counted(train.num_examples, "image")} of '
    f'{counted(manifest.num_classes, "class")} from {config.data_dir}, into {train_dir}.'
  )
  chosen = recommended_flags.describe_choice(config, train.num_examples)
  if chosen and not plan.is_resumed:
    reporter.line(chosen)
  for line in plan.ignored:
    reporter.line(line)
  if not (plan.is_resumed or _DATA_DIR.value):
    mistyped = _TRAIN_DIR.value and not os.path.isdir(train_dir)
    hint = similar_paths.suggest(train_dir, only_folders=True) if mistyped else ''
    reporter.line(f'Without --data_dir, this new run trains on the handwritten digits.{hint}')
  before = _checkpoints(train_dir)
  try:
    return api.train(
      config,
      train_dir,
      overwrite=_OVERWRITE.value,
      validation_batch_size=_VALIDATION_BATCH_SIZE.value,
      cluster=workers,
      reporter=reporter,
    )
  except KeyboardInterrupt as interrupt:
    rest = _describe_rest(train_dir, before)
    raise KeyboardInterrupt(interruption.signal_of(interrupt), rest) from None


def _checkpoints(train_dir: str) -> dict[str, int]:
  """Returns when each checkpoint of a folder was written, in nanoseconds, newest first."""
  found = {}
  for prefix in prefixes.list_candidates(train_dir):
    with contextlib.suppress(OSError):  # another process may remove it
      found[prefix] = os.stat(f'{prefix}.index').st_mtime_ns
  return found


def _describe_rest(train_dir: str, before: Mapping[str, int]) -> str:
  """Says what is saved of a run that was interrupted while it did not wait for signals.

  Args:
    train_dir: folder of the run.
    before: its `_checkpoints` when the command began.
  """
  saved = _checkpoints(train_dir)
  if saved and _OVERWRITE.value and saved.items() <= before.items():
    return (
      f'interrupted; {train_dir} still holds the run that --overwrite removes. Run the same '
      'command to start again.'
    )
  if saved:
    newest = next(iter(saved))
    return f'interrupted; saved is {newest}. Run the same command{_without_overwrite()} to resume.'
  return (
    'interrupted before the first checkpoint, so nothing is saved. Run the same command, with all '
    'its flags, to start again.'
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
