"""Names of variables."""

import re

from vgg_slim.compat import tf


def plain_name(variable: tf.Variable) -> str:
  """Name of the variable without the suffix that marks a replica's copy."""
  return re.sub(r'/replica_\d+$', '', variable.op.name)
