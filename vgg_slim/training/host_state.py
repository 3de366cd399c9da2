"""Numbers that Python keeps and checkpoints carry."""

import numpy as np

from vgg_slim.compat import tf

SCOPE = 'host_state'


class HostState:
  """Named numbers with a variable beside them, so that a resumed run has them bit for bit.

  They are float64 in the checkpoint: floats as Python has them, whole numbers up to 2**53.
  """

  def __init__(self, name: str, **initial: float) -> None:
    """Adds the variable `host_state/NAME` to the default graph.

    Args:
      name: of the variable.
      **initial: the numbers of a new run, by name.
    """
    self._values = dict(initial)
    with tf.variable_scope(SCOPE):
      self._variable = tf.get_variable(
        name, initializer=np.array(list(initial.values()), np.float64), trainable=False
      )
      self._feed = tf.placeholder(tf.float64, [len(initial)], f'{name}_feed')
      self._assign = self._variable.assign(self._feed)

  def __getitem__(self, name: str) -> float:
    return self._values[name]

  def update(self, **values: float) -> None:
    self._values.update(values)

  def read(self, session: tf.Session) -> None:
    """Takes the numbers of the session's variable."""
    numbers = session.run(self._variable)
    self._values = {name: float(n) for name, n in zip(self._values, numbers, strict=True)}

  def write(self, session: tf.Session) -> None:
    """Gives the variable the numbers, for the next checkpoint."""
    session.run(self._assign, {self._feed: list(self._values.values())})
