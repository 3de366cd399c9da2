"""Early warnings: stuck loss, dead units, stale batch-norm statistics, one answer for all."""

import collections
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import class_balance
from vgg_slim.reporting import Reporter
from vgg_slim.training.graph import TrainOps
from vgg_slim.training.hooks.base import EpochEnd, Hook, Step
from vgg_slim.wording import counted

_CHANCE_TOLERANCE = 0.01  # relative difference to ln(K) up to which a loss is at chance level
_DEAD_FRACTION = 0.9  # fraction of a layer's channels above which the layer is reported


def build_alarms(config: TrainConfig, ops: TrainOps, reporter: Reporter) -> list[Hook]:
  """The alarms of a run; an empty list where `alarm_steps` is 0."""
  steps = config.run.alarm_steps
  if not steps:
    return []
  return [
    StuckLoss(config.net.num_classes, steps, reporter),
    DeadUnits(ops.end_points, steps, reporter),
    StaleStatistics(reporter),
    OneAnswer(config.class_names, reporter, config.balances_classes),
  ]


class StuckLoss(Hook):
  """Reports once that the loss has stayed at ln(K), the loss of equal probabilities."""

  def __init__(self, num_classes: int, steps: int, reporter: Reporter) -> None:
    self._chance, self._num_classes = math.log(num_classes), num_classes
    self._losses: collections.deque[float] = collections.deque(maxlen=steps)
    self._steps = steps
    self._reporter: Reporter | None = reporter

  def after_step(self, step: Step, fetched: Any) -> None:
    self._losses.append(step.scalars['loss'])
    if self._reporter is None or len(self._losses) < self._steps:
      return
    mean = sum(self._losses) / len(self._losses)
    if abs(mean - self._chance) < _CHANCE_TOLERANCE * self._chance:
      self._reporter.line(
        f'ALARM: the loss of the last {len(self._losses)} steps is {mean:.4f}, and guessing among '
        f'{self._num_classes} classes gives ln({self._num_classes}) = {self._chance:.4f}: the '
        'network is not learning. Try another --learning_rate (--find_learning_rate --overwrite '
        'tries several, and removes nothing), --initializer=glorot or he, a network with batch '
        'norm such as vgg16_bn, or --from_net_a, each in a new run (--overwrite, or another '
        '--train_dir); look at the images in TensorBoard.'
      )
      self._reporter = None


class DeadUnits(Hook):
  """Reports layers most of whose channels are 0 at every position of a whole batch."""

  def __init__(self, end_points: dict[str, tf.Tensor], steps: int, reporter: Reporter) -> None:
    """Adds the checks to the graph; a step that does not fetch them does not pay for them.

    Args:
      end_points: end points of the training network; those that are the output of a ReLU are
        checked.
      steps: steps between two checks.
      reporter: receiver of a line about layers that were not reported before.
    """
    self._steps, self._reporter = steps, reporter
    self._reported: set[str] = set()
    self._dead_fractions = {}
    with tf.name_scope('dead_units'):
      for name, layer in end_points.items():
        if layer.op.type == 'Relu':
          maxima = tf.reduce_max(layer, list(range(layer.shape.rank - 1)))
          self._dead_fractions[name] = tf.reduce_mean(tf.cast(maxima <= 0, tf.float32))

  def fetches(self, step: int) -> Any:
    return self._dead_fractions if step % self._steps == 0 else {}

  def after_step(self, step: Step, fetched: Any) -> None:
    dead = {n: value for n, value in fetched.items() if value > _DEAD_FRACTION} if fetched else {}
    new = [f'{name} ({value:.0%})' for name, value in dead.items() if name not in self._reported]
    if new:
      self._reporter.line(
        f'ALARM: dead channels, 0 for a whole batch, at step {step.number}: {", ".join(new)}. '
        'No gradient passes through them. Start again (--overwrite, or another --train_dir) with a '
        'lower --learning_rate, or with --warmup_epochs.'
      )
    self._reported |= set(dead)


class StaleStatistics(Hook):
  """Reports once that batch norm's moving means are still 0, which makes evaluation meaningless."""

  def __init__(self, reporter: Reporter) -> None:
    self._reporter = reporter
    means = [v for v in slim.get_model_variables() if v.op.name.endswith('/moving_mean')]
    # Converted here, not in `after_epoch`: reading a mirrored variable adds operations.
    self._means = {v.op.name.rpartition('/')[0]: tf.convert_to_tensor(v) for v in means}
    self._is_reported = False

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    if self._is_reported or not self._means:
      return
    values = session.run(self._means)
    stale = [name for name, value in values.items() if not np.any(value)]
    if stale:
      more = ', ...' if len(stale) > 3 else ''
      self._reporter.line(
        f'ALARM: moving means of {counted(len(stale), "batch norm")} are 0 after '
        f'{counted(end.step, "step")}: '
        f'{", ".join(stale[:3])}{more}. Evaluation uses these means, and frozen layers do not '
        'update them: restore those layers from a checkpoint (--checkpoint_path), or train them.'
      )
      self._is_reported = True


class OneAnswer(Hook):
  """Reports that a single class was known to two validations in a row, or to that of the end.

  The first validation of a run may come before anything is learned.
  """

  def __init__(
    self, class_names: Sequence[str], reporter: Reporter, is_balanced: bool = False
  ) -> None:
    self._class_names, self._reporter = class_names, reporter
    self._is_balanced = is_balanced
    self._in_a_row = 0
    self._last: tuple[int, int] | None = None  # step and answer, as long as they are not reported

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    answer = end.validation.only_answer if end.validation else None
    self._in_a_row = 0 if answer is None else self._in_a_row + 1
    self._last = None if answer is None else (end.step, answer)
    if self._in_a_row == 2:
      self._report('as an epoch before')

  def after_run(self) -> None:
    self._report('the last validation')

  def _report(self, which: str) -> None:
    if self._last is None:
      return
    (step, answer), self._last = self._last, None
    name, images = self._class_names[answer], f'all validation images at step {step}, {which}'
    found = class_balance.describe_only_answer(name, images, self._is_balanced)
    self._reporter.line(f'ALARM: {found}')
    self._reporter.event('alarm', alarm='one answer', step=step, class_name=name)
