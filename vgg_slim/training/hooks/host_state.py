"""Python numbers that are saved in checkpoints."""

from collections.abc import Mapping

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError

SCOPE = 'host_state'


class HostState:
  """Named numbers, mirrored in a variable so that a resumed run restores them bit for bit.

  The checkpoint holds them as float64: Python floats, and integers up to 2**53. Later versions may
  append names; a name that an older checkpoint lacks gets its initial value.
  """

  def __init__(self, name: str, **initial: float) -> None:
    """Adds the variable `host_state/NAME` to the default graph.

    Args:
      name: name of the variable.
      **initial: initial numbers of a new run by name, in the order in which they are saved.
    """
    self._name, self._initial = name, initial
    self._values = dict(initial)
    with tf.variable_scope(SCOPE):
      # Without a static length, so that a shorter vector of an older checkpoint can be restored.
      self._variable = tf.get_variable(
        name,
        initializer=np.array(list(initial.values()), np.float64),
        trainable=False,
        validate_shape=False,
      )
      self._feed = tf.placeholder(tf.float64, [len(initial)], f'{name}_feed')
      self._assign = tf.assign(self._variable, self._feed, validate_shape=False)

  @property
  def initial(self) -> Mapping[str, float]:
    """Initial numbers of a new run."""
    return self._initial

  def __getitem__(self, name: str) -> float:
    return self._values[name]

  def update(self, **values: float) -> None:
    self._values.update(values)

  def read(self, session: tf.Session) -> None:
    """Reads the numbers from the session's variable.

    Raises:
      CheckpointError: the variable holds more numbers than this version knows.
    """
    numbers = session.run(self._variable)
    if len(numbers) > len(self._initial):
      raise CheckpointError(
        f'{SCOPE}/{self._name} of the checkpoint holds {len(numbers)} numbers, but this version of '
        f'vgg_slim knows {len(self._initial)}: a later version wrote it. Install that version.'
      )
    stored = zip(self._initial, map(float, numbers), strict=False)
    self._values = {**self._initial, **dict(stored)}

  def write(self, session: tf.Session) -> None:
    """Writes the numbers to the session's variable, for the next checkpoint."""
    session.run(self._assign, {self._feed: list(self._values.values())})
