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

  The score of an epoch is a pair: the chosen metric, and a second one that breaks ties, which is
  the loss, or the accuracy where the loss is chosen. More is better for both, since a score holds
  the negative loss.

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

    In that case the patience starts again. The best epoch is kept if the counters hold its value
    of the new metric; else the search for it starts again, too.
    """
    self.state.read(session)
    before = self._stored_metric()
    self.state.update(metric=BEST_METRICS.index(self._metric))
    if before in (None, self._metric):
      return None
    change = f'epochs are now compared by {self._metric}, not {before}; the patience starts again'
    initial, best, second = self.state.initial, self.state['second'], self.state['best']
    self.state.update(waited=0)
    if _tie_breaker(before) != self._metric or math.isinf(best):
      self.state.update(best=initial['best'], second=initial['second'], best_step=0)
      return f'{change}, and so does the search for the best epoch'
    is_known = _tie_breaker(self._metric) == before
    self.state.update(best=best, second=second if is_known else initial['second'])
    return change

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
    """Description of the best epoch, such as 'accuracy 93.21%, loss 0.2210 at step 1200'."""
    return f'{self.scores} at step {self.state["best_step"]:.0f}'

  @property
  def scores(self) -> str:
    """The scores of the best epoch, such as 'accuracy 93.21%, loss 0.2210'."""
    score = zip(self._names(), (self.state['best'], self.state['second']), strict=True)
    return ', '.join(_describe(name, abs(value)) for name, value in score if math.isfinite(value))

  def _names(self) -> tuple[str, ...]:
    return self._metric, _tie_breaker(self._metric)

  def _score(self, validation: Validation) -> tuple[float, ...]:
    values = {
      'accuracy': validation.top_1_accuracy,
      'loss': -validation.loss,
      'balanced_accuracy': validation.balanced_accuracy,
      'macro_f1': validation.macro_f1,
    }
    return tuple(values[name] for name in self._names())

  def _stored_metric(self) -> str | None:
    """The metric of the restored counters; None if no epoch was recorded."""
    if math.isinf(self.state['best']):
      return None
    if self.state['metric'] != UNKNOWN:
      return BEST_METRICS[int(self.state['metric'])]
    return 'loss' if self.state['best'] < 0 else 'accuracy'


def _describe(name: str, value: float) -> str:
  return f'{name} {value:{".2%" if name.endswith("accuracy") else ".4f"}}'


def _tie_breaker(metric: str) -> str:
  """The metric that decides between epochs of equal `metric`."""
  return 'accuracy' if metric == 'loss' else 'loss'
