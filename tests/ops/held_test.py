import numpy as np
import pytest

from tests.testing import assign, graph_session, random_network_values
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.nets import registry
from vgg_slim.ops import held
from vgg_slim.sessions import session_config

IMAGES = np.random.default_rng(0).normal(size=[2, 64, 64, 3]).astype(np.float32)


def run(model, held_dtype, precision='float32', freeze=False):
  """Logits of the network with the same random values, and the operations that ran."""
  config = session_config(RuntimeConfig(precision))
  with tf.Graph().as_default(), tf.Session(config=config) as session:
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    outputs = registry.build(
      model, images, 3, is_training=False, image_size=64, fc_units=8, held_dtype=held_dtype
    )
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assign(session, random_network_values(shapes, scale=0.3))
    held.fill(session)
    logits = outputs.logits
    if freeze:
      logits = held.freeze_kernels(session, logits, [images])
    options, metadata = tf.RunOptions(output_partition_graphs=True), tf.RunMetadata()
    got = session.run(logits, {images: IMAGES}, options, metadata)
  (graph,) = metadata.partition_graphs
  return got, shapes, [node.op for node in graph.node]


@pytest.mark.parametrize('freeze', [False, True])
@pytest.mark.parametrize('model', ['resnet50@4', 'vgg16_bn@4'])
def test_folded_batch_norm_changes_nothing(model, freeze):
  expected, variables, _ = run(model, None)
  got, same_variables, kinds = run(model, tf.float32, freeze=freeze)
  assert same_variables == variables  # what is held is in no checkpoint
  assert not any('BatchNorm' in kind for kind in kinds)
  # (x * w) * s against x * (w * s) in float32, through up to 53 layers.
  np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize('model', ['resnet50@4', 'vgg_a@4'])
def test_kernels_held_in_bfloat16(model):
  expected, _, _ = run(model, None)
  without, _, _ = run(model, None, 'bfloat16')
  got, _, _ = run(model, tf.bfloat16, 'bfloat16', freeze=True)
  # Both round kernels and maps to 8 bits, at other places where batch norm is folded.
  error = np.abs(without - expected).max()
  assert np.abs(got - expected).max() <= 2 * error + 1e-3 * np.abs(expected).max()


def test_fill_follows_the_variables_and_freezing_does_not():
  with graph_session() as session:
    x = tf.ones([1, 2, 2, 1])
    kernel = tf.Variable([[[[2.0]]]])
    twice = held.hold(2 * kernel, 'twice')
    net = tf.nn.conv2d(x, twice, 1, 'VALID') + 0.5
    session.run(kernel.initializer)
    held.fill(session)
    frozen = held.freeze_kernels(session, net)
    kernel.load([[[[5.0]]]], session)
    assert session.run([net, frozen])[0].ravel()[0] == 4.5  # as filled
    held.fill(session)
    now, then = session.run([net, frozen])
  assert now.ravel()[0] == 10.5
  assert then.ravel()[0] == 4.5


def test_reused_scopes_share_what_is_held():
  with graph_session():
    for reuse in (False, True):
      with tf.variable_scope('fc6', reuse=reuse):
        held.hold(tf.ones([3]), 'weights', tf.bfloat16)
    assert len(tf.get_collection('held_values')) == 1
