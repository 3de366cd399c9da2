"""The config of a resumed run: the saved config, with the settings that are given now.

`config.json` is the only source of settings that are not given. Each setting declares what a run
does with a new value, see `configs.fields`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import build_all
from vgg_slim.configs.fields import ResumeRule, resume_rule
from vgg_slim.errors import CheckpointError

SomeConfig = TypeVar('SomeConfig', bound=Config)

_SHOWN = 80  # characters of a value in a message


class Change(NamedTuple):
  """A setting whose given value differs from that of the run."""

  name: str
  before: Any
  after: Any
  rule: ResumeRule

  def text(self) -> str:
    return f'{self.name} was {_show(self.before)}, now {_show(self.after)}'


def resume(
  saved: SomeConfig, given: Mapping[str, Any], train_dir: str
) -> tuple[SomeConfig, tuple[str, ...]]:
  """Returns the config of the resumed run, and one line for each given value that it ignores.

  Args:
    saved: dataclass read from `config.json`; its sections are dataclasses, too.
    given: new values by name, such as 'run.epochs' or 'data_dir'.
    train_dir: folder of the run, for messages.

  Raises:
    ConfigError: values are out of range; all of them are listed.
    CheckpointError: the run cannot be resumed with some of the values; all of these are listed.
  """
  wanted = build_all(
    {
      field.name: functools.partial(_replace, getattr(saved, field.name), field.name, given)
      for field in dataclasses.fields(saved)
    }
  )
  changes = list(_changes(saved, wanted))
  _check(changes, train_dir)
  kept = [change for change in changes if change.rule.is_kept]
  for change in kept:
    section, _, name = change.name.partition('.')
    wanted[section] = dataclasses.replace(wanted[section], **{name: change.before})
  return dataclasses.replace(saved, **wanted), _lines(kept)


def compare(saved: SomeConfig, resumed: SomeConfig, train_dir: str) -> tuple[str, ...]:
  """Returns one line for each setting that a run changes when it is resumed.

  Args:
    saved: dataclass read from `config.json`.
    resumed: dataclass with which the run is resumed.
    train_dir: folder of the run, for messages.

  Raises:
    CheckpointError: the run cannot be resumed with some of the values; all of these are listed.
  """
  changes = list(_changes(saved, vars(resumed)))
  _check(changes, train_dir)
  return _lines(changes)


def _replace(value: Any, name: str, given: Mapping[str, Any]) -> Any:
  if not dataclasses.is_dataclass(value) or isinstance(value, type):
    return given.get(name, value)
  prefix = f'{name}.'
  own = {key.removeprefix(prefix): new for key, new in given.items() if key.startswith(prefix)}
  return dataclasses.replace(value, **own)


def _changes(saved: Any, wanted: Mapping[str, Any]) -> Iterator[Change]:
  for field in dataclasses.fields(saved):
    before, after = getattr(saved, field.name), wanted[field.name]
    if dataclasses.is_dataclass(before):
      for inner in dataclasses.fields(before):
        values = getattr(before, inner.name), getattr(after, inner.name)
        if values[0] != values[1]:
          yield Change(f'{field.name}.{inner.name}', *values, resume_rule(inner))
    elif before != after:
      yield Change(field.name, before, after, resume_rule(field))


def _lines(changes: Iterable[Change]) -> tuple[str, ...]:
  return tuple(f'{change.text()}: {change.rule.effect}.' for change in changes)


def _check(changes: list[Change], train_dir: str) -> None:
  clashes = [
    change.text() + (f' ({change.rule.kinds})' if change.rule.kinds else '')
    for change in changes
    if change.rule.refuses(change.before, change.after)
  ]
  if clashes:
    raise CheckpointError(
      f'{train_dir} holds another run: {"; ".join(clashes)}. Leave these out to resume it as it '
      f'is. For a new run give another --train_dir (with --checkpoint_path={train_dir} it starts '
      'from these weights), or remove this run with --overwrite.'
    )


def _show(value: Any) -> str:
  text = repr(value)
  return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 4]} ...'
