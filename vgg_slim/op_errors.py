"""The reason in an error of TensorFlow, which stands inside a trace of the graph."""

import re

from vgg_slim.compat import tf

# TensorFlow 2.21 begins with 'Graph execution error:' and gives the reason in the line before the
# first node of its trace, or after the name of the node.
_REASON = re.compile(r'^(.*)\n\t \[\[\{\{node|^Node: .*\n(.*)', re.MULTILINE)


def reason(error: tf.errors.OpError) -> str:
  """Returns the reason of an error in one line, without a full stop at its end."""
  match = _REASON.search(error.message)
  text = (match[1] or match[2]) if match else error.message.partition('\n')[0]
  return text.strip().rstrip('.') or type(error).__name__


def is_op_error(error: Exception) -> bool:
  """Whether an error is TensorFlow's."""
  return isinstance(error, tf.errors.OpError)
