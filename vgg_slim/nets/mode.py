"""The purpose that a network is built for: training, or a form of inference.

registry.build('vgg16', images, 1000, Training(weight_decay=5e-4))
registry.build('vgg16', images, 1000, Inference())
"""

import dataclasses

from vgg_slim.compat import tf
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.errors import ConfigError
from vgg_slim.ops.layers import DropoutSeed


@dataclasses.dataclass(frozen=True)
class Training:
  """Dropout drops units; batch norm uses the statistics of the batch and updates its averages.

  The updates are added to UPDATE_OPS, weight decay to the regularization losses.

  Attributes:
    dropout_seed: seed of dropout, see `layers.dropout_op`.
    weight_decay: factor of sum(v**2) / 2 over the decayed variables.
    weight_decay_on: kinds of variables to decay, some of `weight_decay.KINDS`; kernels by default.
    trainable_scopes: scopes outside which batch norm is frozen; empty to freeze none.
    sync_batch_norm: whether batch norm uses the statistics of the images of all replicas.
    num_updates: int64 [], number of earlier updates of batch norm's moving averages, see
      `slim_layers.batch_norm`.
    fast_cpu_conv: whether convolutions use `winograd` where that is faster; for float32 sessions
      on CPUs.
    stage_parts: stages that are computed again in the backward pass, see `trunk.build_trunk`.
    block_dtype: dtype of large fully-connected layers whose kernel gradients are left to the
      update, see `slim_layers.sliding_fully_connected`; None for none.
  """

  dropout_seed: DropoutSeed | tf.Tensor | None = None
  weight_decay: float = 0.0
  weight_decay_on: tuple[str, ...] = ('weights',)
  trainable_scopes: tuple[str, ...] = ()
  sync_batch_norm: bool = False
  num_updates: tf.Tensor | None = None
  fast_cpu_conv: bool = False
  stage_parts: tuple[int, ...] = ()
  block_dtype: tf.DType | None = None

  def __post_init__(self):
    for name in ('trainable_scopes', 'weight_decay_on'):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    if self.weight_decay < 0:
      raise ConfigError(f'weight_decay must be at least 0, got {self.weight_decay}.')


@dataclasses.dataclass(frozen=True)
class Inference:
  """Dropout does nothing, and batch norm uses its moving averages.

  `Inference()` reads the variables in every batch and computes batch norm as a separate operation.
  `Inference.fast` is for sessions that run many batches, `Inference.export` for exported files.

  Attributes:
    cache_dtype: dtype in which kernels are cached, with batch norm folded into the convolutions;
      None to read the variables in every batch. With a cache, `cached_weights.fill` must be called
      once the variables have their values, as `checkpoints.restore` does.
    fast_cpu_conv: whether convolutions use `winograd` where that is faster, and fully-connected
      layers slide over larger maps by copying patches; for float32 sessions on CPUs.
    pool_rounding: 'floor', with which all networks here are trained, or for VGG also 'ceil', the
      geometry of the paper; see `layers.mpool_op`.
  """

  cache_dtype: tf.DType | None = None
  fast_cpu_conv: bool = False
  pool_rounding: str = POOL_ROUNDINGS[0]

  def __post_init__(self):
    if self.cache_dtype not in (None, tf.float32, tf.bfloat16, tf.float16):
      raise ConfigError(
        f'cache_dtype must be float32, bfloat16 or float16, got {self.cache_dtype!r}.'
      )
    if self.fast_cpu_conv and self.cache_dtype not in (None, tf.float32):
      raise ConfigError(
        f'fast_cpu_conv is for float32, got cache_dtype={self.cache_dtype.name}: in bfloat16 the '
        'Winograd transforms cause errors of 9 % of the largest value.'
      )

    if self.pool_rounding not in POOL_ROUNDINGS:
      raise ConfigError(f'pool_rounding must be floor or ceil, got {self.pool_rounding!r}.')

  @property
  def precision(self) -> str:
    """The precision of a session that computes the network, see `sessions.session_config`."""
    return self.cache_dtype.name if self.cache_dtype else 'float32'

  @classmethod
  def fast(cls, precision: str = 'float32', pool_rounding: str = POOL_ROUNDINGS[0]) -> 'Inference':
    """Inference on many images in one session, as in `evaluate` and `predict`.

    Args:
      precision: precision of the session, see `sessions.session_config`.
      pool_rounding: see the class.
    """
    return cls(tf.as_dtype(precision), precision == 'float32', pool_rounding)

  @classmethod
  def export(cls) -> 'Inference':
    """Inference by other programs: batch norm is folded, convolutions stay standard operations."""
    return cls(tf.float32)


Mode = Training | Inference
