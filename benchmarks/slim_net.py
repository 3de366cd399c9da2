"""The same networks as tf-slim's own `nets` write them: only convolutions, and slim's batch norm.

It computes no kernel gradients by taps and no fully connected layer as a matrix product. The
distance to it shows what this project's own layers gain.
"""

from collections.abc import Callable

from vgg_slim import sessions
from vgg_slim.benchmarks import layer_walk, synthetic
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import slim, tf
from vgg_slim.nets.net_spec import Layer
from vgg_slim.nets.trunk import pad


def build_step(workload: Workload) -> Callable[[], None]:
  """Builds the graph, opens its session and returns a function that runs one batch."""
  with tf.Graph().as_default():
    images, labels = synthetic.build_batch(workload)
    is_training = workload.what in ('forward_backward', 'train_step')
    logits = build_logits(workload, images, is_training)
    if not is_training:
      fetches = tf.nn.softmax(logits)
    else:
      tf.losses.sparse_softmax_cross_entropy(labels, logits)
      fetches = _build_training(workload)
    session = sessions.open_session(runtime=workload.runtime)
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    return session.make_callable(fetches)


def _build_training(workload: Workload) -> tf.Operation | list[tf.Operation]:
  if workload.what == 'forward_backward':
    gradients = tf.gradients(tf.losses.get_losses(), tf.trainable_variables())
    return [gradient.op for gradient in gradients]  # see `steps`
  optimizer = tf.train.MomentumOptimizer(layer_walk.LEARNING_RATE, layer_walk.MOMENTUM)
  with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    return optimizer.minimize(tf.losses.get_total_loss())


def build_logits(workload: Workload, images: tf.Tensor, is_training: bool) -> tf.Tensor:
  """Adds the workload's network; returns float32 [N, K], the mean of the class score map."""

  def conv(layer: Layer, net: tf.Tensor, padding: int | str | None = None) -> tf.Tensor:
    net, padding = pad(layer, net) if padding is None else (net, padding)
    return slim.conv2d(
      net,
      layer.channels,
      layer.kernel,
      layer.stride,
      padding,
      activation_fn=tf.nn.relu if layer.relu else None,
      normalizer_fn=slim.batch_norm if layer.batch_norm else None,
      normalizer_params={'is_training': is_training, 'scale': True},
      weights_regularizer=slim.l2_regularizer(layer_walk.WEIGHT_DECAY),
      scope=layer.name,
    )

  def max_pool(layer: Layer, net: tf.Tensor) -> tf.Tensor:
    net, padding = pad(layer, net)
    return slim.max_pool2d(net, layer.kernel, layer.stride, padding)

  def add(layer: Layer, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(left + right) if layer.relu else left + right

  def dropout(layer: Layer, net: tf.Tensor) -> tf.Tensor:
    return slim.dropout(net, 1 - layer_walk.DROPOUT_RATE, is_training=is_training)

  kinds: layer_walk.Kinds = {
    'conv': conv,
    'fc': lambda layer, net: conv(layer, net, 'VALID'),
    'max_pool': max_pool,
    'average_pool': lambda layer, net: slim.avg_pool2d(net, layer.kernel, 1),
    'subsample': lambda layer, net: slim.max_pool2d(net, 1, layer.stride),
    'lrn': lambda layer, net: tf.nn.lrn(net),
    'dropout': dropout,
    'add': add,
  }
  net = layer_walk.walk(layer_walk.layers_of(workload, kinds), images, kinds)
  return tf.reduce_mean(net, [1, 2])
