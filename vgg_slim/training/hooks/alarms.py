"""Lines that say early what a run would else show late."""

import collections
import math
from typing import Any

import numpy as np

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.training.graph import TrainOps
from vgg_slim.training.hooks import progress
from vgg_slim.training.hooks.base import EpochEnd, Hook, Step

_CHANCE_WIDTH = 0.01  # share of ln(K) within which a mean loss is that of guessing
_DEAD_SHARE = 0.9  # of a layer's channels


def build_alarms(config: TrainConfig, ops: TrainOps, reporter: progress.Reporter) -> list[Hook]:
  """The alarms of a run; none where `alarm_steps` is 0."""
  steps = config.run.alarm_steps
  if not steps:
    return []
  return [
    StuckLoss(config.net.num_classes, steps, reporter),
    DeadUnits(ops.end_points, steps, reporter),
    StillStatistics(reporter),
  ]


class StuckLoss(Hook):
  """Says once that the loss has stayed at ln(K), that of equal probabilities."""

  def __init__(self, num_classes: int, steps: int, reporter: progress.Reporter) -> None:
    self._chance, self._num_classes = math.log(num_classes), num_classes
    self._losses: collections.deque[float] = collections.deque(maxlen=steps)
    self._reporter: progress.Reporter | None = reporter

  def after_step(self, step: Step, fetched: Any) -> None:
    self._losses.append(step.scalars['loss'])
    if self._reporter is None or len(self._losses) < self._losses.maxlen:
      return
    mean = sum(self._losses) / len(self._losses)
    if abs(mean - self._chance) < _CHANCE_WIDTH * self._chance:
      self._reporter.line(
        f'ALARM: the loss of the last {len(self._losses)} steps is {mean:.4f}, and guessing among '
        f'{self._num_classes} classes has ln({self._num_classes}) = {self._chance:.4f}: nothing is '
        'learned. Try another --learning_rate (a tenth, or three times this one), '
        '--initializer=glorot or he, a network with batch norm such as vgg16_bn, or '
        '--from_net_a, all in a new run (--overwrite, or another --train_dir); look at the images '
        'in TensorBoard.'
      )
      self._reporter = None


class DeadUnits(Hook):
  """Names layers most of whose channels are 0 at every place of a whole batch."""

  def __init__(
    self, end_points: dict[str, tf.Tensor], steps: int, reporter: progress.Reporter
  ) -> None:
    """Adds the looks to the graph; a step that does not fetch them does not pay.

    Args:
      end_points: of the network in training; those that a ReLU ends are looked at.
      steps: between two looks.
      reporter: is given a line for the layers that were not named before.
    """
    self._steps, self._reporter = steps, reporter
    self._named: set[str] = set()
    self._dead = {}
    with tf.name_scope('dead_units'):
      for name, layer in end_points.items():
        if layer.op.type == 'Relu':
          most = tf.reduce_max(layer, list(range(layer.shape.rank - 1)))
          self._dead[name] = tf.reduce_mean(tf.cast(most <= 0, tf.float32))

  def fetches(self, step: int) -> Any:
    return self._dead if step % self._steps == 0 else {}

  def after_step(self, step: Step, fetched: Any) -> None:
    dead = {n: share for n, share in fetched.items() if share > _DEAD_SHARE} if fetched else {}
    new = [f'{name} ({share:.0%})' for name, share in dead.items() if name not in self._named]
    if new:
      self._reporter.line(
        f'ALARM: channels that are 0 for a whole batch, at step {step.number}: {", ".join(new)}. '
        'No gradient passes through them. Start again (--overwrite, or another --train_dir) with a '
        'lower --learning_rate, or with --warmup_epochs.'
      )
    self._named |= set(dead)


class StillStatistics(Hook):
  """Says once that batch norm's moving means are where they started, which evaluation would use."""

  def __init__(self, reporter: progress.Reporter) -> None:
    self._reporter = reporter
    means = [v for v in slim.get_model_variables() if v.op.name.endswith('/moving_mean')]
    # Of several replicas: read here, since reading adds to the graph.
    self._means = {v.op.name.rpartition('/')[0]: tf.convert_to_tensor(v) for v in means}
    self._said = False

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    if self._said or not self._means:
      return
    values = session.run(self._means)
    still = [name for name, value in values.items() if not np.any(value)]
    if still:
      more = ', ...' if len(still) > 3 else ''
      self._reporter.line(
        f'ALARM: {len(still)} batch norms have moving means of 0 after {end.step} steps: '
        f'{", ".join(still[:3])}{more}. Evaluation uses them. Frozen scopes keep theirs: start '
        'them from a checkpoint (--checkpoint_path), or train them.'
      )
      self._said = True
