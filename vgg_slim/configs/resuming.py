"""A run that goes on: its config with the settings that were given for it now.

`config.json` is the only source of what nobody gives. What a run does with another value of a
setting is said where the setting is declared, see `configs.fields`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from vgg_slim.configs.fields import Resume, resume_of
from vgg_slim.errors import CheckpointError

Config = TypeVar('Config')

_SHOWN = 80  # characters of a value in a message


class Change(NamedTuple):
  """A setting that was given another value than the run has."""

  name: str
  before: Any
  after: Any
  resume: Resume

  def text(self) -> str:
    return f'{self.name} was {_show(self.before)}, now {_show(self.after)}'


def resume(
  saved: Config, given: Mapping[str, Any], train_dir: str
) -> tuple[Config, tuple[str, ...]]:
  """Returns the config with which a run goes on, and a line for each setting that changed.

  Args:
    saved: the dataclass of `config.json`; its sections are dataclasses, too.
    given: new values by name, such as 'run.epochs' or 'data_dir'.
    train_dir: folder of the run, for messages.

  Raises:
    ConfigError: a value out of range.
    CheckpointError: values with which the run cannot go on; all of them are listed.
  """
  wanted = {
    field.name: _replace(getattr(saved, field.name), field.name, given)
    for field in dataclasses.fields(saved)
  }
  changes = list(_changes(saved, wanted))
  _check(changes, train_dir)
  for change in changes:
    if change.resume.is_kept:
      section, _, name = change.name.partition('.')
      wanted[section] = dataclasses.replace(wanted[section], **{name: change.before})
  lines = tuple(f'{change.text()}: {change.resume.follows}.' for change in changes)
  return dataclasses.replace(saved, **wanted), lines


def answers(config_class: type, sections: Mapping[str, type]) -> dict[str, Resume]:
  """The answer of every setting by its name.

  Args:
    config_class: of the whole config.
    sections: the classes of its sections by field.
  """
  found = {}
  for field in dataclasses.fields(config_class):
    if field.name not in sections:
      found[field.name] = resume_of(field)
      continue
    for inner in dataclasses.fields(sections[field.name]):
      found[f'{field.name}.{inner.name}'] = resume_of(inner)
  return found


def _replace(value: Any, name: str, given: Mapping[str, Any]) -> Any:
  if not dataclasses.is_dataclass(value):
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
          yield Change(f'{field.name}.{inner.name}', *values, resume_of(inner))
    elif before != after:
      yield Change(field.name, before, after, resume_of(field))


def _check(changes: list[Change], train_dir: str) -> None:
  clashes = [
    change.text() + (f' ({change.resume.kinds})' if change.resume.kinds else '')
    for change in changes
    if change.resume.refuses(change.before, change.after)
  ]
  if clashes:
    raise CheckpointError(
      f'{train_dir} holds another run: {"; ".join(clashes)}. Leave these out to resume it as it '
      f'is, or start a new run from its weights: --checkpoint_path={train_dir} with another '
      '--train_dir.'
    )


def _show(value: Any) -> str:
  text = repr(value)
  return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 4]} ...'
