"""`tf.app.flags.FLAGS` with the two private names that scripts for early TensorFlow 1 use."""

import sys

from vgg_slim.compat import tf


class OldFlags:
  """TensorFlow's FLAGS; `_parse_flags()` parses, and `__flags` has the values by name."""

  def __getattr__(self, name: str) -> object:
    if name == '_parse_flags':
      return lambda: tf.flags.FLAGS(sys.argv, known_only=True)
    if name == '__flags':
      return {each: tf.flags.FLAGS[each].value for each in tf.flags.FLAGS}
    return getattr(tf.flags.FLAGS, name)

  def __setattr__(self, name: str, value: object) -> None:
    setattr(tf.flags.FLAGS, name, value)

  def __delattr__(self, name: str) -> None:
    delattr(tf.flags.FLAGS, name)

  def __getitem__(self, name: str) -> object:
    return tf.flags.FLAGS[name]

  def __setitem__(self, name: str, flag: object) -> None:
    tf.flags.FLAGS[name] = flag

  def __contains__(self, name: object) -> bool:
    return name in tf.flags.FLAGS

  def __iter__(self) -> object:
    return iter(tf.flags.FLAGS)

  def __len__(self) -> int:
    return len(tf.flags.FLAGS)

  def __call__(self, *args: object, **options: object) -> object:
    return tf.flags.FLAGS(*args, **options)


FLAGS = OldFlags()
