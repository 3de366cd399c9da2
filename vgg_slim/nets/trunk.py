"""The trunk of every network in tf-slim: one loop over the list of layers of its row."""

import functools
import itertools
from collections.abc import Callable, Sequence

from vgg_slim.compat import tf
from vgg_slim.nets.net_spec import Layer, NetSpec, stage_groups
from vgg_slim.ops.layers import lrn_op
from vgg_slim.ops.recompute import recompute
from vgg_slim.ops.slim_layers import conv2d, dropout, max_pool


def build_trunk(
  images: tf.Tensor,
  spec: NetSpec,
  stage_parts: Sequence[int] = (),
  trainable_scopes: Sequence[str] = (),
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Adds the layers below the head, under the caller's `arg_scopes.net_arg_scope`.

  Args:
    images: float32 [N, H, W, 3], preprocessed RGB images; H and W may be unknown.
    spec: row of the table of a family.
    stage_parts: number of parts of the batch in which each of the first `spec.trunk_stages()` is
      computed, and computed again in the backward pass, see `net_spec.stage_groups`; the other
      stages keep their layers.
    trainable_scopes: scopes outside which no gradients are needed; empty if all are.

  Returns:
    The last feature map, float32 [N, h, w, C], and the output of every layer by its scope, except
    those of dropout. 'block1' to 'block4' of a ResNet are the outputs of their last units.
  """
  stages = spec.trunk_stages()
  frozen = spec.count_frozen_stages(trainable_scopes, tf.get_variable_scope().name)
  parts = [
    stage_parts[index] if frozen <= index < len(stage_parts) else 0 for index in range(len(stages))
  ]
  net, end_points = images, {}
  for first, end, count in stage_groups(parts):
    group = list(itertools.chain.from_iterable(stages[first:end]))
    build = functools.partial(_build_layers, group)
    if count:
      net, layers = recompute(build, net, count, trainable_scopes, first > frozen)
    else:
      net, layers = build(net)
    end_points.update(layers)
  return net, end_points


def _build_layers(
  layers: Sequence[Layer], net: tf.Tensor
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  outputs, end_points = {layers[0].inputs[0]: net}, {}
  for layer in layers:
    net = _BUILDERS[layer.kind](layer, *(outputs[name] for name in layer.inputs))
    outputs[layer.name] = net
    if layer.kind not in ('dropout', 'subsample'):
      end_points[layer.name] = net
    if layer.kind == 'add':
      end_points[layer.name.partition('/')[0]] = net
  return net, end_points


def _conv(layer: Layer, net: tf.Tensor) -> tf.Tensor:
  net, padding = pad(layer, net)
  return conv2d(
    net,
    layer.channels,
    layer.kernel,
    layer.stride,
    padding=padding,
    activation_fn=tf.nn.relu if layer.relu else None,
    scope=layer.name,
  )


def _max_pool(layer: Layer, net: tf.Tensor) -> tf.Tensor:
  net, padding = pad(layer, net)
  if padding == 'SAME':
    return tf.nn.max_pool2d(net, layer.kernel, layer.stride, padding, name=layer.name)
  return max_pool(net, layer.kernel, layer.stride, scope=layer.name)


def pad(layer: Layer, net: tf.Tensor) -> tuple[tf.Tensor, str]:
  """Adds the zeros of the layer on all sides, unless 'SAME' is the same.

  'SAME' pads the left less than the right where the stride is 2 and the side even.

  Returns:
    The padded feature map, and the padding that remains for TensorFlow, 'SAME' or 'VALID'.
  """
  if layer.padding == 'SAME' or (layer.stride == 1 and 2 * layer.padding == layer.kernel - 1):
    return net, 'SAME'
  if layer.padding:
    sides = [layer.padding, layer.padding]
    net = tf.pad(net, [[0, 0], sides, sides, [0, 0]])
  return net, 'VALID'


def _add(layer: Layer, branch: tf.Tensor, shortcut: tf.Tensor) -> tf.Tensor:
  return tf.nn.relu(shortcut + branch, name=layer.name)


_BUILDERS: dict[str, Callable[..., tf.Tensor]] = {
  'conv': _conv,
  'max_pool': _max_pool,
  'lrn': lambda layer, net: lrn_op(net, layer.name),
  'dropout': lambda layer, net: dropout(net, 1 - layer.drop_rate, scope=layer.name),
  'subsample': lambda layer, net: net[:, :: layer.stride, :: layer.stride],
  'add': _add,
}
