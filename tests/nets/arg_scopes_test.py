import pytest

from vgg_slim.compat import slim, tf
from vgg_slim.nets.arg_scopes import net_arg_scope
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.ops import slim_layers


def variable_names(**kwargs):
  with tf.Graph().as_default(), slim.arg_scope(net_arg_scope(Training(), **kwargs)):
    slim_layers.conv2d(tf.zeros([1, 4, 4, 3]), 2, 3, scope='conv')
    return sorted(v.op.name for v in tf.trainable_variables())


def test_batch_norm_replaces_the_bias_unless_it_is_kept():
  norm = ['conv/BatchNorm/beta', 'conv/BatchNorm/gamma']
  assert variable_names() == ['conv/biases', 'conv/weights']
  assert variable_names(batch_norm=(0.9, 1e-3)) == [*norm, 'conv/weights']
  both = variable_names(batch_norm=(0.9, 1e-3), conv_biases=True)
  assert both == [*norm, 'conv/biases', 'conv/weights']


def test_average_pools_round_down():
  with tf.Graph().as_default(), slim.arg_scope(net_arg_scope(Inference())):
    assert slim.avg_pool2d(tf.zeros([1, 5, 5, 1]), 2).shape.as_list() == [1, 2, 2, 1]


@pytest.mark.parametrize(
  ('mode', 'side'), [(Training(), 2), (Inference(), 2), (Inference(pool_rounding='ceil'), 3)]
)
def test_pools_round_as_the_mode_says(mode, side):
  with tf.Graph().as_default(), slim.arg_scope(net_arg_scope(mode)):
    pooled = slim_layers.max_pool(tf.zeros([1, 5, 5, 1]), 2, 2, scope='pool')
  assert pooled.shape.as_list() == [1, side, side, 1]
