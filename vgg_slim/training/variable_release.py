"""Gives the memory of a run's variables back while something else needs it, such as validation."""

import contextlib
from collections.abc import Iterator

from vgg_slim.checkpoints import search
from vgg_slim.compat import tf

_LEAST_BYTES = 2**20  # smaller variables are not worth two operations each


class VariableRelease:
  """Releases the large variables of a graph, whose values a checkpoint holds."""

  def __init__(self) -> None:
    """Adds its operations to the default graph, which must have all variables by now."""
    large = [v for v in tf.global_variables() if _num_bytes(v) >= _LEAST_BYTES]
    self._saver = tf.train.Saver(large, max_to_keep=None) if large else None
    self._release = [tf.raw_ops.DestroyResourceOp(resource=v.handle) for v in large]

  @contextlib.contextmanager
  def hold(self, session: tf.Session, checkpoint: str) -> Iterator[None]:
    """Releases the variables for the time of the block and restores them after it.

    An error in the block leaves them released, because it ends the run.

    Args:
      session: session of the graph, between two steps.
      checkpoint: prefix of a checkpoint with the present values.

    Raises:
      DamagedCheckpointError: the checkpoint was damaged or removed during the block.
    """
    session.run(self._release)
    yield
    if self._saver:
      search.restore(self._saver, session, checkpoint)


def _num_bytes(variable: tf.Variable) -> int:
  return variable.shape.num_elements() * variable.dtype.size
