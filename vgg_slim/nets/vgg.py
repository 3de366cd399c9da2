"""VGG A to E in tf-slim: one loop over the paper's table (arXiv:1409.1556, Table 1).

The network is fully convolutional (3.2): at `image_size` pixels the class score map is 1x1, and
each 32 pixels more add a row or column to it.
"""

from vgg_slim.compat import slim, tf
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.nets.outputs import NetOutputs, from_score_map
from vgg_slim.nets.specs import VggSpec
from vgg_slim.ops.arg_scopes import sliding_fully_connected
from vgg_slim.ops.layers import dropout_op, lrn_op


def build(
  images: tf.Tensor,
  spec: VggSpec,
  num_classes: int,
  is_training: bool,
  image_size: int = IMAGE_SIDE,
  fc_units: int = 4096,
  dropout_keep_prob: float = 0.5,
  dropout_seed: tf.Tensor | None = None,
) -> NetOutputs:
  """Adds the network to the default graph, under `arg_scopes.vgg_arg_scope` of the caller.

  Args:
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    spec: a row of the table.
    num_classes: K.
    is_training: whether dropout drops.
    image_size: side, in pixels, at which fc6 sees the whole map.
    fc_units: units of fc6 and fc7.
    dropout_keep_prob: of fc6's and fc7's units.
    dropout_seed: int [2], see `layers.dropout_op`.
  """
  keep_prob = dropout_keep_prob if is_training else 1.0
  with tf.variable_scope(spec.scope, 'vgg', [images]) as scope:
    collection = f'{scope.original_name_scope}end_points'
    with slim.arg_scope(
      [slim.conv2d, slim.max_pool2d, sliding_fully_connected], outputs_collections=collection
    ):
      net = _trunk(images, spec)
      net = sliding_fully_connected(net, fc_units, spec.fc_kernel(image_size), scope='fc6')
      net = dropout_op(net, 'dropout6', keep_prob, dropout_seed)
      net = sliding_fully_connected(net, fc_units, 1, scope='fc7')
      net = dropout_op(
        net, 'dropout7', keep_prob, None if dropout_seed is None else dropout_seed + 1
      )
      net = sliding_fully_connected(net, num_classes, 1, activation_fn=None, scope='fc8')
    end_points = {
      name.removeprefix(f'{scope.name}/'): tensor
      for name, tensor in slim.utils.convert_collection_to_dict(collection).items()
    }
    return from_score_map(net, end_points)


def _trunk(images: tf.Tensor, spec: VggSpec) -> tf.Tensor:
  net = images
  for s, stage in enumerate(spec.stages, start=1):
    rows = [(conv.channels, [conv.kernel, conv.kernel]) for conv in stage]
    net = slim.stack(net, slim.conv2d, rows, scope=f'conv{s}')
    if spec.lrn and s == 1:
      net = lrn_op(net, 'lrn1')
    net = slim.max_pool2d(net, [2, 2], scope=f'pool{s}')
  return net
