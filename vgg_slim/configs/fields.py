"""What a resumed run does with another value of a setting; said where the setting is declared.

    epochs: float = setting(14.0, resume=FREE)
    seed: int = setting(0, resume=REFUSED)

`configs.resuming` acts on it, and docs/file-formats.md has the table of all settings.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

_KEY = 'resume'


class Resume(NamedTuple):
  """The answer of one setting.

  Attributes:
    is_refused: whether the run is not resumed with another value.
    follows: what follows from another value, as half a sentence.
    counters: the parts of the run that count from the start again; names of host state.
    is_kept: whether the run keeps the value that it has, since only step 0 looks at it.
    kind_of: of a value; values of different kinds are refused although others are free.
    kinds: what `kind_of` tells apart, as half a sentence.
  """

  is_refused: bool
  follows: str = ''
  counters: tuple[str, ...] = ()
  is_kept: bool = False
  kind_of: Callable[[Any], Any] | None = None
  kinds: str = ''

  def refuses(self, before: Any, after: Any) -> bool:
    """Whether a run with the value `before` is not resumed with the value `after`."""
    if self.kind_of is None:
      return self.is_refused and before != after
    return self.kind_of(before) != self.kind_of(after)

  def describe(self) -> str:
    """One line for a table."""
    if self.is_refused:
      return 'refused'
    kinds = f'; {self.kinds}' if self.kinds else ''
    resets = f', resets {" and ".join(self.counters)}' if self.counters else ''
    return f'{"kept" if self.is_kept else "free"}{resets}: {self.follows}{kinds}'


REFUSED = Resume(is_refused=True)


def free(follows: str) -> Resume:
  """The run goes on with the new value."""
  return Resume(False, follows)


FREE = free('it holds from this step on')


def resets(*counters: str, follows: str) -> Resume:
  """The run goes on with the new value, and these counters start again."""
  return Resume(False, follows, counters)


def kept(follows: str) -> Resume:
  """The run goes on with the value that it has."""
  return Resume(False, follows, is_kept=True)


def free_within(kind_of: Callable[[Any], Any], kinds: str) -> Resume:
  """The run goes on with a new value of the same kind; one of another kind is refused."""
  return FREE._replace(kind_of=kind_of, kinds=kinds)


def setting(default: Any = dataclasses.MISSING, *, resume: Resume) -> Any:
  """A dataclass field that says what a resumed run does with another value."""
  return dataclasses.field(default=default, metadata={_KEY: resume})


def resume_of(field: dataclasses.Field) -> Resume:
  """The answer of a field; what says nothing is refused."""
  return field.metadata.get(_KEY, REFUSED)
