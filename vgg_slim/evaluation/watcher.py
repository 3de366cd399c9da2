"""Follows a train_dir: evaluates each new checkpoint while the run goes on. No TensorFlow."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vgg_slim.checkpoints import prefixes
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import CheckpointError, DamagedCheckpointError
from vgg_slim.evaluation.results import EvalResult

_SECONDS_BETWEEN_LOOKS = 5.0


class Seen(NamedTuple):
  """A checkpoint that turned up.

  Attributes:
    checkpoint: its prefix.
    result: None where it was not evaluated.
    problem: why it was not.
  """

  checkpoint: str
  result: EvalResult | None
  problem: str | None = None


def last_step(trained: TrainConfig, manifest: Manifest) -> int | None:
  """The step at which a run ends; None where only the data set of its training could tell.

  Raises:
    DataError: the data set has no split 'train'.
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
) -> Iterator[Seen]:
  """Yields the checkpoints of a run one by one, oldest first; those already there, too.

  Args:
    train_dir: of the run; it may be without a checkpoint yet.
    evaluate_fn: called with each prefix.
    last_step: ends after the checkpoint of this step.
    timeout: ends also where for so many seconds there was nothing to do.
    clock: seconds.
    sleep: waits for so many seconds.

  Raises:
    CheckpointError: a checkpoint that is whole cannot be evaluated.
  """
  done: set[str] = set()
  idle_since = clock()
  while True:
    new = [checkpoint for checkpoint in prefixes.kept(train_dir) if checkpoint not in done]
    for checkpoint in new:
      done.add(checkpoint)
      seen = _evaluate(checkpoint, evaluate_fn)
      yield seen
      if seen.result and last_step is not None and seen.result.step >= last_step:
        return
    if new:
      idle_since = clock()
    elif clock() - idle_since >= timeout:
      return
    else:
      sleep(_SECONDS_BETWEEN_LOOKS)


def _evaluate(checkpoint: str, evaluate_fn: Callable[[str], EvalResult]) -> Seen:
  try:
    return Seen(checkpoint, evaluate_fn(checkpoint))
  except CheckpointError as error:
    if not prefixes.find_prefix(checkpoint):
      return Seen(checkpoint, None, f'{checkpoint} was removed before it was read.')
    if isinstance(error, DamagedCheckpointError):
      return Seen(checkpoint, None, f'{error} It is passed over.')
    raise
