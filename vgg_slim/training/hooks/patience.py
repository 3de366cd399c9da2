"""The best epoch of a run, and the number of epochs since without improvement."""

import math
from collections.abc import Mapping

from vgg_slim.compat import tf
from vgg_slim.configs.config import BEST_METRICS
from vgg_slim.training.hooks.base import Validation
from vgg_slim.training.hooks.host_state import HostState

UNKNOWN = -1  # a counter that a new run, or a checkpoint of vgg_slim 0.1, has no value for

# In the order in which checkpoints hold them. `best` and `second` form a score, see `Patience`.
# Checkpoints of vgg_slim 0.1 lack `second` and `metric`; with `second` = inf, ties do not count as
# improvements there.
COUNTERS = {'best': -math.inf, 'best_step': 0, 'waited': 0}
LATER_COUNTERS = {'second': math.inf, 'metric': UNKNOWN}
_COUNTERS = {**COUNTERS, **LATER_COUNTERS}


class Patience:
  """Decides whether an epoch is the best so far; its counters are saved in every checkpoint.

  The score of an epoch is a pair: the chosen metric, and the other metric, which breaks ties. More
  is better for both, since a score holds the negative loss.

  Attributes:
    state: the counters.
  """

  def __init__(
    self,
    name: str,
    metric: str,
    min_delta: float = 0.0,
    counters: Mapping[str, float] = _COUNTERS,
  ) -> None:
    """Adds the counters to the checkpoint.

    Args:
      name: name of the variable that holds them.
      metric: metric to compare, one of BEST_METRICS.
      min_delta: smallest difference of the metric that counts as an improvement.
      counters: initial values of COUNTERS, LATER_COUNTERS and others, in the order in which they
        are saved.
    """
    self._metric, self._min_delta = metric, min_delta
    self.state: HostState = HostState(name, **counters)

  def read(self, session: tf.Session) -> str | None:
    """Reads the counters from the session; returns a message if they belong to another metric.

    In that case the best epoch is kept, is compared by the new metric, and the patience starts
    again.
    """
    self.state.read(session)
    before = self._stored_metric()
    self.state.update(metric=BEST_METRICS.index(self._metric))
    if before in (None, self._metric):
      return None
    best, second = self.state['second'], self.state['best']
    if math.isinf(best):  # the checkpoint does not hold the new metric
      initial = self.state.initial
      best, second = initial['best'], initial['second']
      self.state.update(best_step=0)
    self.state.update(best=best, second=second, waited=0)
    return f'epochs are now compared by {self._metric}, not {before}; the patience starts again'

  def record_epoch(self, validation: Validation, step: int) -> bool:
    """Records an epoch and returns whether it is the best so far."""
    first, second = self._score(validation)
    best, delta = self.state['best'], self._min_delta
    is_better = first > best + delta
    is_better |= first == best and second > self.state['second'] + delta
    if is_better:
      self.state.update(best=first, second=second, best_step=step, waited=0)
    else:
      self.state.update(waited=self.state['waited'] + 1)
    return is_better

  def stop_reason(self, patience: int | None) -> str | None:
    """Reason to end a run after `patience` epochs without improvement; None to continue."""
    waited = self.state['waited']
    if waited < (patience or math.inf):
      return None
    return f'{waited:.0f} epochs without improvement on {self.text} (--early_stop_patience)'

  @property
  def text(self) -> str:
    """Description of the best epoch, such as 'accuracy 0.9321, loss 0.2210 at step 1200'."""
    score = zip(self._names(), (self.state['best'], self.state['second']), strict=True)
    known = [f'{name} {abs(value):.4f}' for name, value in score if math.isfinite(value)]
    return f'{", ".join(known)} at step {self.state["best_step"]:.0f}'

  def _names(self) -> tuple[str, ...]:
    return self._metric, *(name for name in BEST_METRICS if name != self._metric)

  def _score(self, validation: Validation) -> tuple[float, ...]:
    values = {'accuracy': validation.top_1_accuracy, 'loss': -validation.loss}
    return tuple(values[name] for name in self._names())

  def _stored_metric(self) -> str | None:
    """The metric of the restored counters; None if no epoch was recorded."""
    if math.isinf(self.state['best']):
      return None
    if self.state['metric'] != UNKNOWN:
      return BEST_METRICS[int(self.state['metric'])]
    return 'loss' if self.state['best'] < 0 else 'accuracy'
