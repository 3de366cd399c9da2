"""The trunk of every ResNet v1 in tf-slim: one loop over the table (arXiv:1512.03385, Table 1)."""

from vgg_slim.compat import slim, tf
from vgg_slim.nets.resnet_specs import EXPANSION, POOL_KERNEL, STEM_KERNEL, ResNetSpec, Unit
from vgg_slim.ops.layers import Activation
from vgg_slim.ops.slim_layers import conv2d


def build_trunk(images: tf.Tensor, spec: ResNetSpec) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Adds the stem and the blocks; the caller enters `arg_scopes.net_arg_scope`.

  Args:
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    spec: specification of the network.

  Returns:
    The last feature map, float32 [N, h', w', 2048], with about 1/32 of the sides of the images; and
    the output of every layer by its scope, where 'block1' to 'block4' stand for their last units.
  """
  end_points = {}
  net = end_points['conv1'] = _conv(images, spec.stem_channels, STEM_KERNEL, 2, 'conv1')
  net = slim.max_pool2d(
    _pad(net, spec.pool.zeros), POOL_KERNEL, 2, padding=spec.pool.padding, scope='pool1'
  )
  end_points['pool1'] = net
  for unit in spec.units():
    net = _bottleneck(net, unit, end_points)
    end_points[unit.scope] = end_points[unit.scope.partition('/')[0]] = net
  return net, end_points


def _bottleneck(net: tf.Tensor, unit: Unit, end_points: dict[str, tf.Tensor]) -> tf.Tensor:
  """The residual unit of He et al., Figure 5, right."""
  wide = unit.channels * EXPANSION
  first, second, stride = unit.strides
  if unit.projection:
    shortcut = _conv(net, wide, 1, stride, f'{unit.scope}/shortcut', None)
    end_points[f'{unit.scope}/shortcut'] = shortcut
  else:
    # A slice of the whole map would hide from grappler that both addends have the same shape.
    shortcut = net[:, ::stride, ::stride] if stride > 1 else net
  for name, channels, kernel, step, activation in (
    ('conv1', unit.channels, 1, first, tf.nn.relu),
    ('conv2', unit.channels, 3, second, tf.nn.relu),
    ('conv3', wide, 1, 1, None),
  ):
    scope = f'{unit.scope}/{name}'
    net = end_points[scope] = _conv(net, channels, kernel, step, scope, activation)
  return tf.nn.relu(shortcut + net, name=unit.scope)


def _conv(
  net: tf.Tensor,
  channels: int,
  kernel: int,
  stride: int,
  scope: str,
  activation: Activation | None = tf.nn.relu,
) -> tf.Tensor:
  """Convolution with equal padding on all sides, unlike 'SAME' at stride 2 and even sides."""
  if stride > 1:
    net = _pad(net, kernel // 2)
  return conv2d(
    net,
    channels,
    kernel,
    stride,
    padding='SAME' if stride == 1 else 'VALID',
    activation_fn=activation,
    scope=scope,
  )


def _pad(net: tf.Tensor, zeros: int) -> tf.Tensor:
  return tf.pad(net, [[0, 0], [zeros, zeros], [zeros, zeros], [0, 0]]) if zeros else net
