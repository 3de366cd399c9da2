"""The same table as `nets.vgg`, built from `conv_op`, `fc_op` and `mpool_op`.

Same scopes and variable names, so that one checkpoint fits both; VggOpsTest holds the two styles
to the same logits and gradients. Batch norm is tf-slim's business: see `nets.vgg`.
"""

from vgg_slim.compat import tf
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.errors import ConfigError
from vgg_slim.nets.outputs import NetOutputs, from_score_map
from vgg_slim.nets.specs import VggSpec
from vgg_slim.ops import initializers
from vgg_slim.ops.layers import conv_op, dropout_op, fc_op, lrn_op, mpool_op


def build(
  images: tf.Tensor,
  spec: VggSpec,
  num_classes: int,
  is_training: bool,
  image_size: int = IMAGE_SIDE,
  fc_units: int = 4096,
  dropout_keep_prob: float = 0.5,
  weight_decay: float = 0.0,
  initializer: str = 'glorot',
) -> NetOutputs:
  """Adds the network to the default graph; arguments as for `nets.vgg.build`.

  Args:
    weight_decay: multiplies sum(w**2) / 2 of every layer's weights.
    initializer: a name of `ops.initializers.get`.

  Raises:
    ConfigError: a row with batch norm.
  """
  if spec.batch_norm:
    raise ConfigError(f'{spec.name} has batch norm; only the tf-slim network builds it.')
  keep_prob = dropout_keep_prob if is_training else 1.0
  weights = {'weight_decay': weight_decay, 'initializer': initializers.get(initializer)}
  end_points = {}
  with tf.variable_scope(spec.scope):
    net = images
    for s, stage in enumerate(spec.stages, start=1):
      with tf.variable_scope(f'conv{s}'):
        for u, (channels, kernel) in enumerate(stage, start=1):
          net = conv_op(net, f'conv{s}_{u}', kernel, kernel, channels, **weights)
          end_points[f'conv{s}/conv{s}_{u}'] = net
      if spec.lrn and s == 1:
        net = lrn_op(net, 'lrn1')
      net = end_points[f'pool{s}'] = mpool_op(net, f'pool{s}')
    kernel = spec.fc_kernel(image_size)
    net = end_points['fc6'] = fc_op(net, 'fc6', fc_units, kernel, **weights)
    net = dropout_op(net, 'dropout6', keep_prob)
    net = end_points['fc7'] = fc_op(net, 'fc7', fc_units, 1, **weights)
    net = dropout_op(net, 'dropout7', keep_prob)
    net = end_points['fc8'] = fc_op(net, 'fc8', num_classes, 1, activation=None, **weights)
    return from_score_map(net, end_points)
