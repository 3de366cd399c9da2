"""Small parts of `tf.contrib` that no package of today has."""

import ast
import copy
import json
import re
from collections.abc import Mapping


class ModeKeys:
  """`tf.contrib.learn.ModeKeys`: names of the modes of a model function."""

  TRAIN = 'train'
  EVAL = 'eval'
  INFER = 'infer'


class HParams:
  """`tf.contrib.training.HParams`: named values, each of the type of its first value.

  Args:
    **values: names and values; a list has elements of one type.
  """

  def __init__(self, hparam_def: object = None, model_structure: object = None, **values: object):
    if hparam_def is not None:
      raise NotImplementedError('HParams(hparam_def=...) is not supported; give names and values.')
    self._values: dict[str, object] = {}
    for name, value in values.items():
      self.add_hparam(name, value)

  def add_hparam(self, name: str, value: object) -> None:
    """Adds a name with its value."""
    if name in self._values or hasattr(type(self), name):
      raise ValueError(f'Hyperparameter name is reserved: {name}')
    if isinstance(value, (list, tuple)) and not value:
      raise ValueError(f'Multi-valued hyperparameters cannot be empty: {name}')
    self._values[name] = list(value) if isinstance(value, tuple) else value

  def set_hparam(self, name: str, value: object) -> None:
    """Replaces the value of a name; integers become floats where the old value is one."""
    if name not in self._values:
      raise KeyError(f'Unknown hyperparameter: {name}')
    old = self._values[name]
    if isinstance(old, list) != isinstance(value, (list, tuple)) and old is not None:
      raise ValueError(f'{name} is {old!r}; it cannot become {value!r}.')
    if isinstance(old, list) and isinstance(value, (list, tuple)):
      self._values[name] = [_cast(name, each, old[0]) for each in value]
    else:
      self._values[name] = _cast(name, value, old)

  def del_hparam(self, name: str) -> None:
    """Removes a name."""
    self._values.pop(name, None)

  def parse(self, values: str) -> 'HParams':
    """Sets values from a string such as 'rate=0.1,sizes=[1,2],name=x'; returns itself."""
    for name, index, text in re.findall(r'(\w+)(?:\[(\d+)\])?\s*=\s*(\[[^\]]*\]|[^,]*)', values):
      value = _parse_value(text.strip())
      if index:
        items = list(self.get(name, []))  # type: ignore[call-overload]
        items[int(index)] = value
        value = items
      self.set_hparam(name, value)
    return self

  def override_from_dict(self, values: Mapping[str, object]) -> 'HParams':
    """Sets values by name; returns itself."""
    for name, value in values.items():
      self.set_hparam(name, value)
    return self

  def values(self) -> dict[str, object]:
    """Returns the values by name."""
    return dict(self._values)

  def get(self, key: str, default: object = None) -> object:
    """Returns a value, or `default` if there is no such name."""
    return self._values.get(key, default)

  def to_json(self, **options: object) -> str:
    """Returns the values as JSON."""
    return json.dumps(self._values, **options)  # type: ignore[arg-type]

  def parse_json(self, values_json: str) -> 'HParams':
    """Sets values from JSON; returns itself."""
    return self.override_from_dict(json.loads(values_json))

  def __getattr__(self, name: str) -> object:
    if name.startswith('_') or name not in self._values:
      raise AttributeError(f'HParams has no {name!r}')
    return self._values[name]

  def __setattr__(self, name: str, value: object) -> None:
    if name.startswith('_'):
      super().__setattr__(name, value)
    else:
      self.set_hparam(name, value) if name in self._values else self.add_hparam(name, value)

  def __contains__(self, key: object) -> bool:
    return key in self._values

  def __deepcopy__(self, memo: dict) -> 'HParams':
    return HParams(**copy.deepcopy(self._values, memo))

  def __repr__(self) -> str:
    return f'HParams({sorted(self._values.items())})'


def _parse_value(text: str) -> object:
  words = {'true': True, 'false': False}
  if text.lower() in words:
    return words[text.lower()]
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return [_parse_value(t.strip()) for t in text[1:-1].split(',')] if text[:1] == '[' else text


def _cast(name: str, value: object, old: object) -> object:
  if old is None or value is None or type(value) is type(old) or callable(old):
    return value
  if isinstance(old, bool) and value in (0, 1):
    return bool(value)
  if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
    return float(value)
  if isinstance(old, str):
    return str(value)
  raise ValueError(f'{name} is {old!r}; it cannot become {value!r}.')
