"""Checks what could stop a run: packages, processor, GPU, memory, disk, data, weights, one step.

  tools/doctor
  tools/doctor --data_dir=data/photos --model=resnet50 --batch_size=64
  tools/doctor --train_dir=runs/photos --thorough

It takes the flags of tools/train: replace `train` with `doctor` in a command to see what would
happen. With the --train_dir of a run that has begun, it checks that run with the flags it was
started with. Each line starts with ok, warn or fail and says what to do; the exit code is 1 if any
check fails. A mistake in the flags is reported at once, with exit code 2.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator

from absl import flags
from rich import console, text

from vgg_slim import memory, terminal
from vgg_slim.commands import installation, invocation, progress, run_plan
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config
from vgg_slim.configs.config import TrainConfig
from vgg_slim.doctor import machine
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding, failure
from vgg_slim.errors import ConfigError, VggSlimError

_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Folder made by tools/convert_to_tfrecord. Defaults to that of the run in --train_dir, else to '
  'the handwritten digits.',
)
_TRAIN_DIR = flags.DEFINE_string(
  'train_dir', None, 'Folder of a training run, existing or planned.'
)
_THOROUGH = flags.DEFINE_bool(
  'thorough', False, 'Read the whole data set to check all checksums and labels.'
)
_FORMAT = flags.DEFINE_enum(
  'format', 'text', ['text', 'json'], 'Output format: text, or one JSON object per line.'
)
_DRY_STEP = flags.DEFINE_bool('dry_step', True, 'Train one step and discard it.')
config_flags.define_train_flags()

_STYLES = {OK: 'green', WARN: 'yellow', FAIL: 'bold red'}
_ABOUT_WIDTH = 14


def main() -> None:
  """Prints the finding of each check as soon as it is known.

  Raises:
    ConfigError: the flags do not describe a run.
    VggSlimError: a check failed.
  """
  _check_flags()
  screen = console.Console(highlight=False, soft_wrap=True)
  counts = dict.fromkeys(_STYLES, 0)
  for finding in _findings(counts):
    counts[finding.level] += 1
    if _FORMAT.value == 'json':
      print(json.dumps(finding._asdict()), flush=True)
    else:
      screen.print(_lines(finding))
  summary = ', '.join(f'{count} {level}' for level, count in counts.items())
  if counts[FAIL]:
    raise VggSlimError(f'{summary}; fix what fails first.')
  if _FORMAT.value == 'text':
    print(f'{summary}.')


def _check_flags() -> None:
  try:
    run_plan.plan_run(_DATA_DIR.value, _TRAIN_DIR.value)
  except ConfigError:
    raise
  except (VggSlimError, ImportError, OSError):
    pass  # the checks report what else is wrong


def _lines(finding: Finding) -> text.Text:
  shown = text.Text(f'{finding.level:5}', _STYLES[finding.level])
  indent = ' ' * (5 + _ABOUT_WIDTH + 1)
  lines = f'{"":5}{finding.about:{_ABOUT_WIDTH}} {installation.localize(finding.text)}'
  if finding.remedy:
    lines += f'\n{indent}-> {installation.localize(finding.remedy)}'
  shown.append(terminal.fold(lines, indent=indent)[5:], 'default')
  return shown


def _findings(counts: dict[str, int]) -> Iterator[Finding]:
  """Yields the findings of all checks, the cheap ones first.

  Args:
    counts: number of findings so far by level, which the caller updates in between.
  """
  yield from machine.examine_all()
  try:
    invocation.load_tensorflow()
  except ImportError as error:
    yield failure('TensorFlow', error, 'See packages and Python above.')
    return
  from vgg_slim import sessions
  from vgg_slim.checkpoints import search
  from vgg_slim.doctor import data_set, framework, trial
  from vgg_slim.training import run_precision

  refusal = None
  try:
    plan = run_plan.plan_run(_DATA_DIR.value, _TRAIN_DIR.value)
    run, manifest = plan.config, plan.manifest
    newest = search.find(plan.train_dir) if plan.is_resumed else None
    sessions.configure(run.runtime)
  except VggSlimError as error:
    refusal = failure('run', error)
  yield from framework.examine_all()
  if refusal:
    yield refusal
    return
  yield trial.examine_run(run)
  yield framework.examine_precision(run.runtime.precision)
  run = run_precision.settle(run, lambda _: None)
  given = run.fine_tune.checkpoint_path
  yield from data_set.examine_all(
    run.data_dir,
    manifest,
    run.preprocessing,
    given is not None,
    _THOROUGH.value,
    run.balances_classes,
  )
  if run.preprocessing.keep_aspect_ratio:  # a squeezed image is a square
    yield from data_set.examine_shapes(manifest, run.test_scale)
  start = newest or given
  if start:
    yield trial.examine_checkpoint(start)
  yield trial.examine_memory(run, memory.available_bytes(), bool(sessions.num_gpus()))
  yield machine.examine_disk(_folder(), trial.checkpoint_bytes(run))
  if _DRY_STEP.value and not counts[FAIL]:
    folder = str(machine.nearest_folder(_folder()))
    reporter = progress.reporter(sys.stderr)
    reporter.phase('dry step', 'Training one step, which is discarded (--nodry_step leaves it out)')
    finding = trial.run_trial(_continued(run, newest), manifest, folder)
    reporter.clear()
    yield finding


def _folder() -> str:
  return _TRAIN_DIR.value or 'runs'


def _continued(run: TrainConfig, newest: str | None) -> TrainConfig:
  """Returns `run` with its own newest checkpoint as the start, in place of its first one."""
  if not newest:
    return run
  scopes = run.fine_tune.trainable_scopes
  start = config.FineTuneConfig(checkpoint_path=newest, trainable_scopes=scopes)
  return dataclasses.replace(run, fine_tune=start)


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
