"""The same networks in Keras 3 on TensorFlow, as `keras.applications` writes them."""

from collections.abc import Callable
from typing import Any

from vgg_slim.benchmarks import layer_walk, systems
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf

_POLICIES = {'float32': 'float32', 'bfloat16': 'mixed_bfloat16', 'float16': 'mixed_float16'}


def build_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch; XLA is off, which is faster on CPUs.

  With float16, `compile` scales the loss by itself.
  """
  import keras

  systems.check_precision(workload, bool(tf.config.list_physical_devices('GPU')))
  keras.config.set_dtype_policy(_POLICIES[workload.precision])
  model = build_model(workload)
  side = workload.image_size
  images = tf.random.normal([workload.batch_size, side, side, 3])
  labels = tf.random.uniform([workload.batch_size], 0, workload.num_classes, tf.int32)
  loss_of = keras.losses.SparseCategoricalCrossentropy()
  if workload.what == 'train_step':
    sgd = keras.optimizers.SGD(layer_walk.LEARNING_RATE, layer_walk.MOMENTUM)
    model.compile(sgd, loss_of, jit_compile=False)
    return lambda: model.train_on_batch(images, labels)
  if workload.what == 'forward_backward':

    @tf.function
    def forward_backward() -> list[Any]:
      with tf.GradientTape() as tape:
        loss = loss_of(labels, model(images, training=True))
      return tape.gradient(loss, model.trainable_variables)

    return forward_backward
  forward = tf.function(lambda: model(images, training=False))
  return lambda: forward().numpy()


def build_model(workload: Workload) -> Any:
  """The workload's network with softmax, as a Keras functional model in the current policy."""
  import keras
  from keras import layers, regularizers

  decay = regularizers.L2(layer_walk.WEIGHT_DECAY / 2)  # Keras's L2 lacks the factor 1/2

  def pad(layer: Any, net: Any) -> tuple[Any, str]:
    if layer.padding in (0, 'SAME') or 2 * layer.padding == layer.kernel - 1 and layer.stride == 1:
      return net, 'valid' if layer.padding == 0 else 'same'
    return layers.ZeroPadding2D(layer.padding)(net), 'valid'

  def finish(layer: Any, net: Any) -> Any:
    if layer.batch_norm:
      net = layers.BatchNormalization()(net)
      return layers.ReLU()(net) if layer.relu else net
    return net

  def activation(layer: Any) -> str | None:
    return 'relu' if layer.relu and not layer.batch_norm else None

  def conv(layer: Any, net: Any) -> Any:
    net, padding = pad(layer, net)
    net = layers.Conv2D(
      layer.channels,
      layer.kernel,
      layer.stride,
      padding,
      activation=activation(layer),
      use_bias=layer.biases,
      kernel_regularizer=decay,
    )(net)
    return finish(layer, net)

  def fc(layer: Any, net: Any) -> Any:
    net = layers.Dense(
      layer.channels,
      activation=activation(layer),
      use_bias=layer.biases,
      kernel_regularizer=decay,
    )(layers.Flatten()(net))
    return finish(layer, net)

  def max_pool(layer: Any, net: Any) -> Any:
    net, padding = pad(layer, net)
    return layers.MaxPooling2D(layer.kernel, layer.stride, padding)(net)

  def add(layer: Any, left: Any, right: Any) -> Any:
    net = layers.Add()([left, right])
    return layers.ReLU()(net) if layer.relu else net

  kinds: layer_walk.Kinds = {
    'conv': conv,
    'fc': fc,
    'max_pool': max_pool,
    'add': add,
    'average_pool': lambda layer, net: layers.AveragePooling2D(layer.kernel)(net),
    'subsample': lambda layer, net: layers.MaxPooling2D(1, layer.stride)(net),
    'dropout': lambda layer, net: layers.Dropout(layer_walk.DROPOUT_RATE)(net),
  }
  images = keras.Input([workload.image_size, workload.image_size, 3])
  logits = layer_walk.walk(layer_walk.layers_of(workload, kinds), images, kinds)
  probabilities = layers.Activation('softmax', dtype='float32')(logits)
  return keras.Model(images, probabilities)
