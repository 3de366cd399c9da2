"""Separate evaluator: scores each new checkpoint of a training run while the run continues."""

import contextlib
import math
from collections.abc import Callable

from vgg_slim import locks, tensorboard
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import class_balance
from vgg_slim.data import manifest as manifests
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import runner, tables, validation, watcher
from vgg_slim.evaluation.eval_config import EvalConfig


def run_continuous_evaluation(
  train_dir: str,
  trained: TrainConfig,
  data_dir: str,
  manifest: Manifest,
  config: EvalConfig,
  events_dir: str,
  timeout: float,
  report: Callable[[str], None],
) -> None:
  """Evaluates the checkpoints of a run, oldest first, up to that of its last step.

  Args:
    train_dir: folder of the run; it may not contain a checkpoint yet.
    trained: config of the run.
    data_dir: folder of the converted data set.
    manifest: manifest of the data set.
    config: settings of the evaluation; its first view is reported.
    events_dir: folder for the TensorBoard event file of curves and images.
    timeout: seconds without a new checkpoint after which the evaluator stops.
    report: function that receives lines of text: one per checkpoint, one with the proof of its
      precision if there is one, and warnings.

  Raises:
    FolderInUseError: another evaluator writes to `events_dir`.
    CheckpointError: an undamaged checkpoint cannot be evaluated.
    ConfigError: there is no test scale, or one is too small for the network.
    DataError: the network lacks a class of the data set, the split does not exist, or a shard
      cannot be read.
  """
  last_step = watcher.last_step(trained, manifest)
  shards = manifests.shard_paths(data_dir, manifest, config.split)
  writer, step = None, -1
  with contextlib.ExitStack() as stack:
    stack.enter_context(locks.hold(events_dir))
    evaluator = stack.enter_context(runner.Evaluator(trained, data_dir, manifest, config))
    validator = validation.Validator(evaluator, config, evaluator.classes, shards)
    if not evaluator.classes.is_identity:
      report(evaluator.classes.describe(data_dir))
    for outcome in watcher.watch(train_dir, validator.run, last_step, timeout):
      result = outcome.result
      if result is None:
        report(outcome.problem)
        continue
      step = result.step or 0
      writer = writer or stack.enter_context(tensorboard.open_events(events_dir, step))
      validator.add_events(writer)
      balanced = f'balanced accuracy {result.balanced_accuracy:.2%}  '
      report(
        f'step {step}  top-1 error {result.top_1_error:.2%}  '
        f'{"" if tables.is_balanced(result) else balanced}loss {result.loss:.4f}  '
        f'{result.images_per_second:.1f} images/s  {result.precision}'
      )
      if validator.proof:
        report(validator.proof.describe())
      if result.only_answer is not None:
        name = evaluator.classes.names[result.only_answer]
        images = f'all {result.num_images} images'
        only = class_balance.describe_only_answer(name, images, trained.balances_classes)
        report(f'Warning: {only}')
  if step < (last_step or math.inf):
    report(f'No new checkpoint for {timeout / 60:g} minutes.')
