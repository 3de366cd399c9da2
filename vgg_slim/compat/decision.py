"""Whether a script needs TensorFlow 1's behavior, decided from its text."""

from typing import NamedTuple

from vgg_slim.compat import scanning, successors, views

_PLAIN, _V1 = 'tensorflow.', 'tensorflow.compat.v1.'
# A script with one of these chooses its own behavior, or needs that of TensorFlow 2.
_OWN_CHOICE = (
  'disable_eager_execution',
  'disable_v2_behavior',
  'enable_eager_execution',
  'enable_v2_behavior',
)
_V2_ONLY = ('GradientTape', 'function')


class Decision(NamedTuple):
  """Whether to call `tf.disable_v2_behavior()`, and why."""

  graph_mode: bool
  reason: str


def decide(scan: scanning.Scan) -> Decision:
  """Returns what a script needs.

  TensorFlow 2 has no `tf.placeholder`: a script with such a name was written for TensorFlow 1. One
  that spells it `tf.compat.v1.placeholder` was written to run on TensorFlow 2.
  """
  for name, use in scan.names.items():
    if name.startswith(_PLAIN) and name.rpartition('.')[2] in _OWN_CHOICE:
      return Decision(False, f'{use} calls {successors.spell(name)}')
  for name, use in scan.names.items():
    if _is_of_tensorflow1(name):
      return Decision(True, f'{use} uses {successors.spell(name)}')
  for name, use in scan.names.items():
    if name.removeprefix(_V1).removeprefix(_PLAIN) in _V2_ONLY:
      return Decision(False, f'{use} uses {successors.spell(name)}')
  if scan.v1_import:
    return Decision(True, f'{scan.v1_import} imports tensorflow.compat.v1')
  return Decision(False, 'it uses no name that only TensorFlow 1 has')


def _is_of_tensorflow1(name: str) -> bool:
  if name.startswith('tensorflow.contrib'):
    return True
  first, *rest = name.split('.')
  if first != 'tensorflow' or not rest or rest[0] in ('compat', 'core', 'python'):
    return False
  return not _exists(name) and _exists(_V1 + rest[0])


def _exists(name: str) -> bool:
  try:
    views.find(name)
  except (AttributeError, ImportError):
    return False
  return True
