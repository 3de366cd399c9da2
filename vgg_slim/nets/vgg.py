"""The trunk of every VGG in tf-slim: one loop over the table (arXiv:1409.1556, Table 1)."""

from vgg_slim.compat import tf
from vgg_slim.nets.vgg_specs import VggSpec
from vgg_slim.ops.layers import lrn_op
from vgg_slim.ops.slim_layers import conv2d, dropout, max_pool


def build_trunk(images: tf.Tensor, spec: VggSpec) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Adds the convolutions and pools; the caller enters `arg_scopes.net_arg_scope`.

  Args:
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    spec: specification of the network.

  Returns:
    The last feature map, float32 [N, H // 32, W // 32, 512], or [N, ceil(H / 32), ceil(W / 32),
    512] if pools round up; and the output of every layer by its scope.
  """
  net, end_points = images, {}
  for s, stage in enumerate(spec.stages, start=1):
    for u, conv in enumerate(stage, start=1):
      scope = spec.conv_scope(s, u)
      net = conv2d(net, conv.channels, conv.kernel, scope=scope)
      end_points[scope] = net
      net = dropout(net, 1 - conv.dropout, scope=f'dropout{s}_{u}')
    if spec.lrn and s == 1:
      net = end_points['lrn1'] = lrn_op(net, 'lrn1')
    net = end_points[f'pool{s}'] = max_pool(net, 2, 2, scope=f'pool{s}')
  return net, end_points
