"""Watches a train_dir and evaluates each new checkpoint. No TensorFlow."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vgg_slim.checkpoints import prefixes
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import CheckpointError, DamagedCheckpointError
from vgg_slim.evaluation.results import EvalResult

_POLL_SECONDS = 5.0


class Outcome(NamedTuple):
  """Outcome of evaluating one checkpoint.

  Attributes:
    checkpoint: prefix of the checkpoint.
    result: result of the evaluation; None if there is none.
    problem: reason why there is no result; empty if there is one.
  """

  checkpoint: str
  result: EvalResult | None
  problem: str = ''


def last_step(trained: TrainConfig, manifest: Manifest) -> int | None:
  """The step at which a run ends; None if that depends on a data set other than `manifest`.

  Raises:
    DataError: the data set has no 'train' split.
  """
  run = trained.run
  if run.max_steps is None and manifest.fingerprint != trained.data_fingerprint:
    return None
  return run.max_steps or run.total_steps(manifest.split('train').num_examples)


def watch(
  train_dir: str,
  evaluate_fn: Callable[[str], EvalResult],
  last_step: int | None,
  timeout: float,
  clock: Callable[[], float] = time.monotonic,
  sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Outcome]:
  """Evaluates the checkpoints of a run as they appear, oldest first, existing ones included.

  Args:
    train_dir: folder of the run; it may not contain a checkpoint yet.
    evaluate_fn: function that evaluates the checkpoint with the given prefix.
    last_step: step whose checkpoint is the last one; None if it is unknown.
    timeout: seconds without a new checkpoint after which watching stops.
    clock: function that returns the time, in seconds.
    sleep: function that waits for a number of seconds.

  Yields:
    The outcome for each checkpoint.

  Raises:
    CheckpointError: an undamaged checkpoint cannot be evaluated.
  """
  done: set[str] = set()
  idle_since = clock()
  while True:
    new = [checkpoint for checkpoint in prefixes.kept(train_dir) if checkpoint not in done]
    for checkpoint in new:
      done.add(checkpoint)
      outcome = _evaluate(checkpoint, evaluate_fn)
      yield outcome
      if outcome.result and last_step is not None and (outcome.result.step or 0) >= last_step:
        return
    if new:
      idle_since = clock()
    elif clock() - idle_since >= timeout:
      return
    else:
      sleep(_POLL_SECONDS)


def _evaluate(checkpoint: str, evaluate_fn: Callable[[str], EvalResult]) -> Outcome:
  try:
    return Outcome(checkpoint, evaluate_fn(checkpoint))
  except CheckpointError as error:
    if not prefixes.find_prefix(checkpoint):
      return Outcome(checkpoint, None, f'{checkpoint} was removed before it could be read.')
    if isinstance(error, DamagedCheckpointError):
      return Outcome(checkpoint, None, f'{error} It is skipped.')
    raise
