"""Settings: dataclass fields that say what they mean, what they may be, and what a resume does.

    epochs: float = setting(14.0, help='Number of epochs.', allowed=positive(), resume=FREE)

All else follows from these declarations: `configs.base.Config` checks the values,
`commands.flags.field_flags` defines the flags and their help, `configs.resuming` applies the rules
of a resume, and docs/file-formats.md lists all settings.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from vgg_slim.configs.allowed import Allowed

_KEY = 'setting'


class ResumeRule(NamedTuple):
  """What a resumed run does when one setting has a new value.

  Attributes:
    is_refused: whether a run cannot be resumed with a new value.
    effect: effect of a new value, as a clause without a full stop.
    counters: names of the host states whose counters start again.
    is_kept: whether the run keeps its old value, because the setting only matters at step 0.
    kind_of: function that returns the kind of a value. A new value of another kind is refused, one
      of the same kind is not; None where all values are of one kind.
    kinds: reason why the kind cannot change, as a clause without a full stop.
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


class Setting(NamedTuple):
  """What a field declares besides its type and its default.

  Attributes:
    help: meaning of the setting, as whole sentences for `--help` and the documentation.
    allowed: allowed values; None where the type says it all. A setting that is None by default may
      always be None.
    resume: what a resumed run does with a new value; None for configs that are not resumed.
    heading: heading under which `--help` lists the flag; None for the general one.
    has_flag: whether a flag of the same name sets the value. Other settings are properties of the
      data set or of the checkpoint.
  """

  help: str
  allowed: Allowed | None = None
  resume: ResumeRule | None = None
  heading: str | None = None
  has_flag: bool = True


UNDECLARED = Setting(help='')


def setting(
  default: Any = dataclasses.MISSING,
  *,
  help: str,
  allowed: Allowed | None = None,
  resume: ResumeRule | None = None,
  heading: str | None = None,
  has_flag: bool = True,
) -> Any:
  """A dataclass field with the metadata that `Setting` describes."""
  described = Setting(help, allowed, resume, heading, has_flag)
  return dataclasses.field(default=default, metadata={_KEY: described})


def find_setting(field: dataclasses.Field) -> Setting | None:
  """What a field declares; None for an ordinary field."""
  return field.metadata.get(_KEY)


def resume_rule(field: dataclasses.Field) -> ResumeRule:
  """The rule of a field; a field that declares none is refused."""
  described = find_setting(field)
  return (described and described.resume) or REFUSED
