"""What a resumed run does with a changed setting, declared together with the setting.

    epochs: float = setting(14.0, resume=FREE)
    seed: int = setting(0, resume=REFUSED)

`configs.resuming` applies these rules, and docs/file-formats.md lists them for all settings.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

_KEY = 'resume'


class ResumeRule(NamedTuple):
  """What a resumed run does when one setting has a new value.

  Attributes:
    is_refused: Whether a run cannot be resumed with a new value.
    effect: Effect of a new value, as a clause without a full stop.
    counters: Names of the host states whose counters start again.
    is_kept: Whether the run keeps its old value, because the setting only matters at step 0.
    kind_of: Function that returns the kind of a value. A new value of another kind is refused, one
      of the same kind is not; None where all values are of one kind.
    kinds: Reason why the kind cannot change, as a clause without a full stop.
  """

  is_refused: bool
  effect: str = ''
  counters: tuple[str, ...] = ()
  is_kept: bool = False
  kind_of: Callable[[Any], Any] | None = None
  kinds: str = ''

  def refuses(self, before: Any, after: Any) -> bool:
    """Whether a run whose value was `before` cannot be resumed with the value `after`."""
    if self.kind_of is None:
      return self.is_refused and before != after
    return self.kind_of(before) != self.kind_of(after)

  def describe(self) -> str:
    """The rule as one cell of the table in docs/file-formats.md."""
    if self.is_refused:
      return 'refused'
    kinds = f'; {self.kinds}' if self.kinds else ''
    resets = f', resets {" and ".join(self.counters)}' if self.counters else ''
    return f'{"kept" if self.is_kept else "free"}{resets}: {self.effect}{kinds}'


REFUSED = ResumeRule(is_refused=True)


def free(effect: str) -> ResumeRule:
  """The run continues with the new value."""
  return ResumeRule(False, effect)


FREE = free('the new value applies from this step on')


def resets(*counters: str, effect: str) -> ResumeRule:
  """The run continues with the new value, and these counters start again."""
  return ResumeRule(False, effect, counters)


def kept(effect: str) -> ResumeRule:
  """The run continues with its old value."""
  return ResumeRule(False, effect, is_kept=True)


def free_within(kind_of: Callable[[Any], Any], kinds: str) -> ResumeRule:
  """The run continues with a new value of the same kind; a value of another kind is refused."""
  return FREE._replace(kind_of=kind_of, kinds=kinds)


def setting(default: Any = dataclasses.MISSING, *, resume: ResumeRule) -> Any:
  """A dataclass field that declares what a resumed run does with a new value."""
  return dataclasses.field(default=default, metadata={_KEY: resume})


def resume_rule(field: dataclasses.Field) -> ResumeRule:
  """The rule of a field; a field that declares none is refused."""
  return field.metadata.get(_KEY, REFUSED)
