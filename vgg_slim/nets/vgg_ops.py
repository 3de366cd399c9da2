"""The networks of `nets.vgg`, built from `conv_op`, `fc_op` and `mpool_op` instead of tf-slim.

Scopes and variable names are those of `registry.build`, so that one checkpoint fits both; the tests
check that both have the same logits and gradients. Only `registry.build` supports batch norm.
"""

import dataclasses
from typing import Any, NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import NetConfig
from vgg_slim.constants import FC_UNITS, IMAGE_SIDE, NUM_IMAGENET_CLASSES, POOL_ROUNDINGS
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs
from vgg_slim.nets.mode import Inference, Mode, Training
from vgg_slim.nets.outputs import NetOutputs, from_score_map
from vgg_slim.nets.vgg import FLAT_SCOPES, VggSpec
from vgg_slim.ops import initializers, weight_decay
from vgg_slim.ops.layers import conv_op, dropout_op, fc_op, lrn_op, mpool_op


class InferenceOutputs(NamedTuple):
  """The return value of `inference_op`.

  Attributes:
    predictions: int64 [N], the most probable class of each image.
    softmax: float32 [N, K], the probabilities.
    logits: float32 [N, K], the class scores, which may be negative.
    parameters: weights and biases of every layer, in the order of the network.
  """

  predictions: tf.Tensor
  softmax: tf.Tensor
  logits: tf.Tensor
  parameters: list[tf.Variable]


def inference_op(
  input_op: tf.Tensor,
  keep_prob: float | tf.Tensor,
  num_classes: int = NUM_IMAGENET_CLASSES,
  fc_units: int = 2048,
  image_size: int = IMAGE_SIDE,
  spec: VggSpec = specs.VGG['vgg_d'],
) -> InferenceOutputs:
  """Builds VGG16 in the caller's variable scope, with layers conv1_1 to conv5_3 and fc1 to fc3.

  Args:
    input_op: float32 [N, H, W, 3], preprocessed images.
    keep_prob: probability that dropout keeps a unit of fc1 and fc2; outside training 1, or a
      placeholder that is fed 1.
    num_classes: number of classes K.
    fc_units: number of units of fc1 and fc2; the paper has 4096.
    image_size: side of the images, in pixels, at which fc1 reads the whole map; the scores of
      larger images are averaged.
    spec: specification of the network.

  Raises:
    ConfigError: the images are too small for `image_size`.
  """
  spec = dataclasses.replace(spec, scopes=FLAT_SCOPES)
  dropout = {'keep_prob': keep_prob}
  outputs = _build(input_op, spec, num_classes, dropout, image_size, fc_units)
  prefix = tf.get_variable_scope().name
  variables = {variable.op.name: variable for variable in tf.trainable_variables(prefix)}
  names = spec.parameter_shapes(num_classes, image_size, fc_units)
  softmax = tf.nn.softmax(outputs.logits, name='softmax')
  return InferenceOutputs(
    tf.argmax(softmax, 1, name='predictions'),
    softmax,
    outputs.logits,
    [variables[f'{prefix}/{name}' if prefix else name] for name in names],
  )


def build(
  images: tf.Tensor,
  spec: VggSpec,
  num_classes: int,
  mode: Mode,
  image_size: int = IMAGE_SIDE,
  fc_units: int = FC_UNITS,
  dropout_keep_prob: float = 0.5,
  initializer: str = NetConfig.initializer,
) -> NetOutputs:
  """Adds the network to the default graph, in the scope `spec.scope`.

  Args:
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    spec: specification of a network without batch norm.
    num_classes: number of classes K.
    mode: `Training`, for dropout and weight decay, or `Inference`, for the rounding of pools.
    image_size: side of the images, in pixels, at which fc6 reads the whole map.
    fc_units: number of units of fc6 and fc7.
    dropout_keep_prob: probability that dropout keeps a unit of fc6 and fc7.
    initializer: name of the weight initializer, see `ops.initializers.get`.

  Raises:
    ConfigError: the network has batch norm, only the tf-slim network supports the mode, or the
      images are too small for `image_size`.
  """
  if mode.fast_cpu_conv or (isinstance(mode, Inference) and mode.cache_dtype):
    raise ConfigError(f'{mode}: only the tf-slim network has cached weights and fast convolutions.')
  weights: dict[str, Any] = {'initializer': initializers.get(initializer)}
  dropout: dict[str, Any] = {'keep_prob': 1.0}
  rounding = POOL_ROUNDINGS[0]
  if isinstance(mode, Training):
    dropout = {'keep_prob': dropout_keep_prob, 'seed': mode.dropout_seed}
  else:
    rounding = mode.pool_rounding
  with tf.variable_scope(spec.scope):
    outputs = _build(images, spec, num_classes, dropout, image_size, fc_units, rounding, **weights)
    if isinstance(mode, Training):
      weight_decay.add_losses(mode.weight_decay, mode.weight_decay_on)
  return outputs


def _build(
  images: tf.Tensor,
  spec: VggSpec,
  num_classes: int,
  dropout: dict[str, Any],
  image_size: int,
  fc_units: int,
  rounding: str = POOL_ROUNDINGS[0],
  **weights: Any,
) -> NetOutputs:
  if spec.batch_norm:
    raise ConfigError(f'{spec.name} has batch norm; only the tf-slim network builds it.')
  kernel = spec.fc_kernel(image_size)
  spec.check_sides(images.shape.as_list()[1:3], image_size, kernel)
  end_points = {}
  net = images
  for s, stage in enumerate(spec.stages, start=1):
    for u, conv in enumerate(stage, start=1):
      scope = spec.conv_scope(s, u)
      net = conv_op(net, scope, conv.kernel, conv.kernel, conv.channels, **weights)
      end_points[scope] = net
    if spec.lrn and s == 1:
      net = end_points['lrn1'] = lrn_op(net, 'lrn1')
    net = end_points[f'pool{s}'] = mpool_op(net, f'pool{s}', rounding=rounding)
  *hidden, scores = spec.fc_scopes
  for scope, fc in zip(hidden, head_specs.get(spec.head).hidden, strict=True):
    net = end_points[scope] = fc_op(net, scope, fc.units or fc_units, kernel=kernel, **weights)
    net = dropout_op(net, f'dropout{scope[2:]}', **dropout)
    kernel = 1
  net = fc_op(net, scores, num_classes, kernel=kernel, activation=None, **weights)
  end_points[scores] = net
  return from_score_map(net, end_points)
