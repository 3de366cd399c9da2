"""A separate evaluator: scores each new checkpoint of a run while the run goes on."""

import contextlib
import math
from collections.abc import Callable

from vgg_slim import locks, tensorboard
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import runner, validation, watcher
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
  """Evaluates the checkpoints of a run, oldest first, until that of its last step.

  Args:
    train_dir: of the run; it may be without a checkpoint yet.
    trained: the run.
    data_dir: folder of the converted data set.
    manifest: its manifest.
    config: what is scored, and how; its first view counts.
    events_dir: is given curves and pictures for TensorBoard.
    timeout: ends also where for so many seconds there was nothing to do.
    report: is given a line for each checkpoint.

  Raises:
    FolderInUseError: another evaluator writes to `events_dir`.
    CheckpointError: a checkpoint that is whole cannot be evaluated.
    ConfigError: a scale too small for the network, or none.
    DataError: a class that is not one of the network's, no such split, or a shard cannot be read.
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
    for seen in watcher.watch(train_dir, validator.run, last_step, timeout):
      result = seen.result
      if result is None:
        report(seen.problem)
        continue
      step = result.step
      writer = writer or stack.enter_context(tensorboard.open_events(events_dir, step))
      validator.add_events(writer)
      report(
        f'step {step}  top-1 error {result.top_1_error:.2%}  loss {result.loss:.4f}  '
        f'{result.images_per_second:.1f} images/s'
      )
  if step < (last_step or math.inf):
    report(f'No new checkpoint for {timeout / 60:g} minutes.')
