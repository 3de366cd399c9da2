"""Weight initializers, by the names that `--initializer` takes."""

from collections.abc import Callable

from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError

# The paper draws from N(0, variance 0.01) and mentions Glorot's initializer as one that needs no
# pre-training (3.1); slim's VGG uses a truncated normal with standard deviation 0.01; He et al.
# (2015) derive a variance of 2 / fan_in for layers with a ReLU.
_INITIALIZERS = {
  'he': lambda: tf.variance_scaling_initializer(2.0, 'fan_in', 'untruncated_normal'),
  'glorot': tf.glorot_uniform_initializer,
  'normal': lambda: tf.truncated_normal_initializer(stddev=0.01),
}


def get(name: str) -> Callable[..., tf.Tensor]:
  """Returns a new initializer by name: 'he', 'glorot' or 'normal'.

  Raises:
    ConfigError: there is no such initializer.
  """
  if name not in _INITIALIZERS:
    raise ConfigError(f'Unknown initializer {name!r}; expected one of {sorted(_INITIALIZERS)}.')
  return _INITIALIZERS[name]()
