"""What a script finds in the position of a name that has no successor."""

from typing import NoReturn

from vgg_slim.errors import VggSlimError


class NoSuccessorError(VggSlimError, NotImplementedError):
  """A script uses something of TensorFlow 1 that has no successor in TensorFlow 2.21."""


class Absent:
  """Stands for a module, function or class; raises an error when it is used, not before.

  Scripts import such names in their first lines, and many never use them.

  Args:
    name: name as scripts spell it, such as 'tf.contrib.quantize'.
    way: what to do instead, for the message.
  """

  def __init__(self, name: str, way: str) -> None:
    self._name = name
    self._way = way

  def __getattr__(self, name: str) -> 'Absent':
    if name.startswith('__') and name.endswith('__'):
      raise AttributeError(name)
    return Absent(f'{self._name}.{name}', self._way)

  def __call__(self, *args: object, **options: object) -> NoReturn:
    self._fail()

  def __mro_entries__(self, bases: tuple[object, ...]) -> NoReturn:
    self._fail()

  def __repr__(self) -> str:
    return f'<{self._name}, which TensorFlow 2.21 does not have>'

  def _fail(self) -> NoReturn:
    raise NoSuccessorError(f'{self._name} is not in TensorFlow 2.21: {self._way}.')
