"""Synthetic images and configs for benchmarks."""

from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf
from vgg_slim.configs import config

_SEED = 0


def build_batch(workload: Workload) -> tuple[tf.Tensor, tf.Tensor]:
  """Adds one batch that stays in memory; run `tf.local_variables_initializer()` before its use.

  The batch is held in variables, because TensorFlow would fold the network over constants.

  Returns:
    images: float32 [N, side, side, 3], normally distributed like normalized pixels.
    labels: int32 [N].
  """
  size, side = workload.batch_size, workload.image_size
  with tf.name_scope('synthetic'):
    images = tf.random_normal([size, side, side, 3], seed=_SEED)
    labels = tf.random_uniform([size], 0, workload.num_classes, tf.int32, seed=_SEED)
    return tuple(
      tf.identity(
        tf.Variable(values, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES], name=name)
      )
      for name, values in (('images', images), ('labels', labels))
    )


def train_config(
  workload: Workload, rgb_mean: tuple[float, float, float] = (0, 0, 0)
) -> config.TrainConfig:
  """Returns a config that trains the workload's network with default optimizer and schedule."""
  side = workload.net_side
  return config.TrainConfig(
    net=config.NetConfig(
      workload.num_classes, workload.model, image_size=side, fc_units=workload.fc_units
    ),
    preprocessing=config.PreprocessingConfig(rgb_mean, 1.0, *workload.scales),
    optimizer=config.OptimizerConfig(),
    run=config.RunConfig(batch_size=workload.batch_size),
    fine_tune=config.FineTuneConfig(),
    runtime=workload.runtime,
    data_dir=workload.data_dir or '',
    data_fingerprint='',
    class_names=tuple(map(str, range(workload.num_classes))),
  )
