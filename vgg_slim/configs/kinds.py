"""Tables of the kinds of something that a setting chooses, such as optimizers by name."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Kind(Protocol):
  """A row of such a table."""

  @property
  def settings(self) -> Sequence[str]:
    """Names of the settings that this kind reads and some others do not."""


def users(table: Mapping[str, Kind], setting: str) -> str:
  """The kinds that read a setting, as a phrase such as 'adam, adamw and rmsprop'."""
  *others, last = [name for name, kind in table.items() if setting in kind.settings]
  return f'{", ".join(others)} and {last}' if others else last
