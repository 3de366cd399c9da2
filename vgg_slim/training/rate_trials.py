"""The first steps of a run at other learning rates, without a folder: nothing is written.

Every trial starts from the run's own start: its initial or restored weights, its first batches, and
its order of random numbers. Trials therefore differ in nothing but the rate.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator

from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data.manifest import Manifest
from vgg_slim.reporting import Reporter
from vgg_slim.training import assembly
from vgg_slim.training.distribution import Distribution
from vgg_slim.training.graph import LOSS_CHECK
from vgg_slim.training.starts import Start

ShouldStop = Callable[[list[float]], bool]


class Trials:
  """Runs trials in one graph, each in a session of its own."""

  def __init__(
    self, config: TrainConfig, manifest: Manifest, start: Start, reporter: Reporter
  ) -> None:
    """Adds the training step to the default graph and makes it final.

    Args:
      config: config of the run, on one device.
      manifest: manifest of its data set.
      start: checkpoint from which the run starts, if any.
      reporter: receiver of the report of a warm start.

    Raises:
      CheckpointError: the checkpoint of `start` or of `config.fine_tune` does not fit.
      ConfigError: a scope of `config.fine_tune` matches no variable.
    """
    tf.set_random_seed(config.run.seed)
    self._config = config
    batch, self._ops = assembly.build_step(config, manifest, start.step, Distribution())
    self._initializers = [
      tf.global_variables_initializer(),
      tf.local_variables_initializer(),
      batch.initializer,
    ]
    self._restore = self._build_restore(start, reporter)
    tf.get_default_graph().finalize()

  def _build_restore(self, start: Start, reporter: Reporter) -> Callable[[tf.Session], None] | None:
    checkpoint = start.checkpoint
    if checkpoint is None:
      init_fn = assembly.build_init_fn(self._config, self._ops, reporter)
      return functools.partial(init_fn, None) if init_fn else None
    search.check_fits(checkpoint, search.stored_names(tf.global_variables()))
    saver = tf.train.Saver()
    return lambda session: search.restore(saver, session, checkpoint)

  def run(self, rates: Iterable[float], should_stop: ShouldStop) -> list[float]:
    """Trains one step at each rate, from the start of the run.

    Args:
      rates: learning rates of the steps.
      should_stop: function that is called after every step with the losses so far, and says
        whether to leave out the remaining ones.

    Returns:
      The cross-entropy of the batch at each step, before its update, as training reports it; the
      last one is NaN if it was not finite.
    """
    losses: list[float] = []
    with self._session() as session:
      for rate in rates:
        losses.append(self._step(session, rate))
        if not math.isfinite(losses[-1]) or should_stop(losses):
          break
    return losses

  @contextlib.contextmanager
  def _session(self) -> Iterator[tf.Session]:
    with sessions.open_session(runtime=self._config.runtime) as session:
      session.run(self._initializers)
      if self._restore:
        self._restore(session)
      yield session

  def _step(self, session: tf.Session, rate: float) -> float:
    ops = self._ops
    try:
      # The schedule of the run gives way to the value that is fed.
      loss, _ = session.run([ops.losses.cross_entropy, ops.train_op], {ops.learning_rate: rate})
    except tf.errors.InvalidArgumentError as error:
      if LOSS_CHECK not in error.message:
        raise
      return math.nan
    return float(loss)
