"""The head of every network: from the trunk's last feature map to class score map and logits."""

from vgg_slim.compat import slim, tf
from vgg_slim.nets import head_specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.nets.outputs import NetOutputs, from_score_map
from vgg_slim.ops.slim_layers import batch_norm, dropout, sliding_fully_connected


def build_head(
  net: tf.Tensor,
  end_points: dict[str, tf.Tensor],
  spec: NetSpec,
  num_classes: int,
  image_size: int,
  fc_units: int,
  dropout_keep_prob: float,
  head: str,
) -> NetOutputs:
  """Adds the head in fully convolutional form (VGG paper, 3.2).

  Args:
    net: float32 [N, h, w, C], the last feature map of the trunk.
    end_points: end points of the trunk.
    spec: specification of the network: its scopes, and whether the features are averaged.
    num_classes: number of classes K; 1 for a single sigmoid.
    image_size: side of the images, in pixels, at which the class score map is 1x1.
    fc_units: number of units of hidden layers for which the head specifies none.
    dropout_keep_prob: probability that dropout keeps a unit.
    head: name of the head in `head_specs.HEADS`.
  """
  row = head_specs.get(head)
  end_points = dict(end_points)
  if spec.averages(head):
    if not row.hidden:
      return _linear_on_average(net, end_points, num_classes, spec)
    window, scope = spec.head_window(image_size, head), spec.average_scope
    net = end_points[scope] = slim.avg_pool2d(net, window, 1, scope=scope)
  if row.input_dropout:
    net = dropout(net, dropout_keep_prob, scope='dropout5')
  kernel = spec.fc_kernel(image_size, head)
  for scope, fc in zip(spec.fc_scopes, row.hidden, strict=False):
    net = end_points[scope] = sliding_fully_connected(
      net,
      fc.units or fc_units,
      kernel,
      activation_fn=tf.nn.relu if fc.relu else None,
      normalizer_fn=batch_norm if fc.batch_norm else None,
      scope=scope,
    )
    if fc.dropout:
      net = dropout(net, dropout_keep_prob, scope=f'dropout{scope[2:]}')
    kernel = 1
  scope = spec.fc_scopes[-1]
  net = sliding_fully_connected(net, num_classes, kernel, activation_fn=None, scope=scope)
  return from_score_map(net, {**end_points, scope: net})


def _linear_on_average(
  net: tf.Tensor, end_points: dict[str, tf.Tensor], num_classes: int, spec: NetSpec
) -> NetOutputs:
  """Applies the linear layer to the averaged map and, with the same weights, to each of its cells.

  An affine layer and an average commute, mean(W x + b) = W mean(x) + b, since the weights of an
  average sum to one. Therefore the logits are the spatial average of the score map but are computed
  without it, and the map costs nothing unless it is fetched.
  """
  scope = spec.fc_scopes[-1]
  pooled = tf.reduce_mean(net, [1, 2], keepdims=True, name=spec.average_scope)
  scores = sliding_fully_connected(pooled, num_classes, 1, activation_fn=None, scope=scope)
  with tf.variable_scope(tf.get_variable_scope(), reuse=True):
    score_map = sliding_fully_connected(net, num_classes, 1, activation_fn=None, scope=scope)
  logits = tf.squeeze(scores, [1, 2])  # a slice that drops axes has no fast kernel on phones
  return NetOutputs(score_map, logits, {**end_points, spec.average_scope: pooled, 'logits': logits})
