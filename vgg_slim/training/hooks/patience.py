"""Which epoch of a run is the best one, and for how long there was none better."""

import math
from collections.abc import Mapping

from vgg_slim.compat import tf
from vgg_slim.configs.config import BEST_METRICS
from vgg_slim.training.hooks.base import Validation
from vgg_slim.training.hooks.host_state import HostState

UNKNOWN = -1  # what neither a new run nor a checkpoint of vgg_slim 0.1 says

# In the order of the checkpoint. `best` and `second` are a score, see `Patience`; vgg_slim 0.1 kept
# neither `second` nor the metric, and nothing is better than the `second` that it did not keep.
COUNTERS = {'best': -math.inf, 'best_step': 0, 'waited': 0}
LATER_COUNTERS = {'second': math.inf, 'metric': UNKNOWN}
_COUNTERS = {**COUNTERS, **LATER_COUNTERS}


class Patience:
  """The only answer to whether an epoch is better; its numbers are part of every checkpoint.

  The score of an epoch is a pair: the metric, then the other one, which decides where the first is
  the same. Of both, more is better: a score has the loss with a minus.

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
      name: of their variable.
      metric: of BEST_METRICS.
      min_delta: by how much an epoch has to be better.
      counters: initial values of COUNTERS, LATER_COUNTERS and others, in the order of the file.
    """
    self._metric, self._min_delta = metric, min_delta
    self.state = HostState(name, **counters)

  def read(self, session: tf.Session) -> str | None:
    """Takes the counters of the session; says so where they were of another metric.

    The best epoch then stays the one to beat, by the new metric, and the waiting starts again.
    """
    self.state.read(session)
    before = self._stored_metric()
    self.state.update(metric=BEST_METRICS.index(self._metric))
    if before in (None, self._metric):
      return None
    best, second = self.state['second'], self.state['best']
    if math.isinf(best):  # the checkpoint does not know it
      initial = self.state.initial
      best, second = initial['best'], initial['second']
      self.state.update(best_step=0)
    self.state.update(best=best, second=second, waited=0)
    return f'now by {self._metric}, before by {before}: the patience starts again'

  def sees_better(self, validation: Validation, step: int) -> bool:
    """Counts an epoch; whether it is the best so far."""
    first, second = self._score(validation)
    best, delta = self.state['best'], self._min_delta
    is_better = first > best + delta
    is_better |= first == best and second > self.state['second'] + delta
    if is_better:
      self.state.update(best=first, second=second, best_step=step, waited=0)
    else:
      self.state.update(waited=self.state['waited'] + 1)
    return is_better

  @property
  def text(self) -> str:
    """Such as 'accuracy 0.9321, loss 0.2210 at step 1200'."""
    found = zip(self._names(), (self.state['best'], self.state['second']), strict=True)
    known = [f'{name} {abs(value):.4f}' for name, value in found if math.isfinite(value)]
    return f'{", ".join(known)} at step {self.state["best_step"]:.0f}'

  def _names(self) -> tuple[str, ...]:
    return self._metric, *(name for name in BEST_METRICS if name != self._metric)

  def _score(self, validation: Validation) -> tuple[float, ...]:
    values = {'accuracy': validation.top_1_accuracy, 'loss': -validation.loss}
    return tuple(values[name] for name in self._names())

  def _stored_metric(self) -> str | None:
    """The metric of the counters; None where no epoch was counted."""
    if math.isinf(self.state['best']):
      return None
    if self.state['metric'] != UNKNOWN:
      return BEST_METRICS[int(self.state['metric'])]
    return 'loss' if self.state['best'] < 0 else 'accuracy'
