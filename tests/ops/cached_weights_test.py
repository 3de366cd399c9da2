import numpy as np
import pytest

from tests.testing import assign, graph_session, random_network_values
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.errors import ConfigError
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.ops import cached_weights
from vgg_slim.sessions import computed_precision, session_config

IMAGES = np.random.default_rng(0).normal(size=[2, 64, 64, 3]).astype(np.float32)


def run(model, cache_dtype, precision='float32', freeze=False):
  """Logits of the network with the same random values, and the operations that ran."""
  config = session_config(RuntimeConfig(precision))
  with tf.Graph().as_default(), tf.Session(config=config) as session:
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    outputs = registry.build(model, images, 3, Inference(cache_dtype), image_size=64, fc_units=8)
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assign(session, random_network_values(shapes, scale=0.3))
    cached_weights.fill(session)
    logits = outputs.logits
    if freeze:
      logits = cached_weights.freeze_kernels(session, logits, [images])
    options, metadata = tf.RunOptions(output_partition_graphs=True), tf.RunMetadata()
    got = session.run(logits, {images: IMAGES}, options, metadata)
  (graph,) = metadata.partition_graphs
  return got, shapes, [node.op for node in graph.node]


@pytest.mark.parametrize('freeze', [False, True])
@pytest.mark.parametrize('model', ['resnet50@4', 'vgg16_bn@4'])
def test_folded_batch_norm_gives_the_same_logits(model, freeze):
  expected, variables, _ = run(model, None)
  got, same_variables, kinds = run(model, tf.float32, freeze=freeze)
  assert same_variables == variables  # cached values are not saved
  assert not any('BatchNorm' in kind for kind in kinds)
  # (x * w) * s compared with x * (w * s) in float32, in up to 53 layers.
  np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize('model', ['resnet50@4', 'vgg_a@4'])
def test_kernels_cached_in_bfloat16_are_as_exact_as_bfloat16(model):
  expected, _, _ = run(model, None)
  without, _, _ = run(model, None, 'bfloat16')
  got, _, _ = run(model, tf.bfloat16, 'bfloat16', freeze=True)
  # Both round kernels and maps to 8 bits, but at different points if batch norm is folded.
  limit = 2 * np.abs(without - expected).max() + 1e-3 * np.abs(expected).max()
  if computed_precision('bfloat16') == 'float32':
    # Only the kernels are rounded, each by up to 2**-9; over the layers that adds up to 0.022.
    limit = 2**-5 * np.abs(expected).max()
  assert 0 < np.abs(got - expected).max() <= limit


def test_fill_follows_the_variables_and_frozen_kernels_do_not():
  with graph_session() as session:
    x = tf.ones([1, 2, 2, 1])
    kernel = tf.Variable([[[[2.0]]]])
    twice = cached_weights.cache(2 * kernel, 'twice')
    net = tf.nn.conv2d(x, twice, 1, 'VALID') + 0.5
    session.run(kernel.initializer)
    cached_weights.fill(session)
    frozen = cached_weights.freeze_kernels(session, net)
    kernel.load([[[[5.0]]]], session)
    assert session.run([net, frozen])[0].ravel()[0] == 4.5  # the value when it was filled
    cached_weights.fill(session)
    now, then = session.run([net, frozen])
  assert now.ravel()[0] == 10.5
  assert then.ravel()[0] == 4.5


def test_reused_scopes_share_cached_values():
  with graph_session() as session:
    for reuse in (False, True):
      with tf.variable_scope('fc6', reuse=reuse):
        cached_weights.cache(tf.ones([3]), 'kernel', tf.bfloat16)
    with tf.variable_scope('fc6', reuse=True):
      cached_weights.cache(tf.ones([3]), 'kernel', tf.float32)
      cached_weights.cache(tf.ones([36]), 'winograd_kernel', tf.float32)
    names = {op.name for op in session.graph.get_operations() if op.type == 'VarHandleOp'}
  assert names == {
    'fc6/cached_kernel_bfloat16',
    'fc6/cached_kernel_float32',
    'fc6/cached_winograd_kernel_float32',
  }


def test_one_kind_cannot_have_two_shapes():
  with graph_session(), tf.variable_scope('conv1'):
    cached_weights.cache(tf.ones([36, 3, 4]), 'kernel')
    with pytest.raises(
      ConfigError, match=r'conv1/cached_kernel_float32.*\[36, 3, 4\].*\[3, 3, 4\]'
    ):
      cached_weights.cache(tf.ones([3, 3, 4]), 'kernel')
