import dataclasses

import numpy as np
import pytest

from tests.testing import assign, graph_session, random_values, thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import registry, specs, vgg_ops
from vgg_slim.nets.mode import Inference, Training

MODE = Training(weight_decay=0.01)


def build_slim(images, spec):
  return registry.build(spec, images, 3, MODE, 64, 8, dropout_keep_prob=1.0)


def build_ops(images, spec):
  return vgg_ops.build(images, spec, 3, MODE, 64, 8, dropout_keep_prob=1.0)


def forward_and_gradients(build, spec, images, values):
  with graph_session() as session:
    outputs = build(tf.constant(images), spec)
    assign(session, values)
    loss = tf.reduce_sum(tf.square(outputs.score_map)) + tf.losses.get_regularization_loss()
    variables = sorted(tf.trainable_variables(), key=lambda v: v.name)
    gradients = tf.gradients(loss, variables)
    return {
      **session.run(outputs.end_points),
      **{v.op.name: g for v, g in zip(variables, session.run(gradients), strict=True)},
    }


@pytest.mark.parametrize('name', [n for n in specs.VGG if not specs.VGG[n].batch_norm])
def test_both_styles_agree_in_every_layer_and_gradient(name):
  spec = thin(specs.VGG[name])
  images = np.random.default_rng(0).normal(size=[2, 64, 96, 3]).astype(np.float32)
  shapes = {f'{spec.scope}/{n}': s for n, s in spec.parameter_shapes(3, 64, 8).items()}
  values = random_values(shapes, scale=0.4)
  first = forward_and_gradients(build_slim, spec, images, values)
  second = forward_and_gradients(build_ops, spec, images, values)
  assert set(first) == set(second)
  for key in first:
    # The sums of gradients have another order: a few float32 roundings of the largest value.
    scale = np.abs(first[key]).max()
    np.testing.assert_allclose(first[key], second[key], rtol=0, atol=5e-6 * scale, err_msg=key)


@pytest.mark.parametrize('rounding', ['floor', 'ceil'])
def test_pools_of_both_styles_round_alike(rounding):
  spec, mode = thin(specs.VGG['vgg_a']), Inference(pool_rounding=rounding)
  images = np.random.default_rng(0).normal(size=[1, 71, 69, 3]).astype(np.float32)
  with graph_session() as session:
    fed = tf.constant(images)
    outputs = [
      registry.build(spec, fed, 3, mode, 64, 8),
      vgg_ops.build(fed, dataclasses.replace(spec, scope='ops'), 3, mode, 64, 8),
    ]
    values = random_values(spec.parameter_shapes(3, 64, 8), scale=0.4)
    assign(session, {f'{scope}/{n}': v for n, v in values.items() for scope in (spec.scope, 'ops')})
    first, second = session.run([out.score_map for out in outputs])
  np.testing.assert_allclose(first, second, rtol=0, atol=5e-6 * np.abs(first).max())


def test_an_image_of_230_px_gives_one_score():
  with tf.Graph().as_default():
    outputs = vgg_ops.build(tf.zeros([1, 230, 230, 3]), thin(specs.VGG['vgg_d']), 3, Inference())
  assert outputs.score_map.shape.as_list() == [1, 1, 1, 3]


def test_batch_norm_is_refused():
  with (
    tf.Graph().as_default(),
    pytest.raises(ConfigError, match='vgg_d_bn has batch norm'),
  ):
    vgg_ops.build(tf.zeros([1, 224, 224, 3]), specs.VGG['vgg_d_bn'], 3, Inference())


class TestInferenceOp:
  def test_scopes_and_shapes_in_order(self):
    with tf.Graph().as_default(), tf.variable_scope('net'):
      outputs = vgg_ops.inference_op(tf.zeros([2, 224, 224, 3]), 0.5)
    shapes = {v.op.name: v.shape.as_list() for v in outputs.parameters}
    convs = [
      f'conv{s}_{u}' for s, n in enumerate((2, 2, 3, 3, 3), start=1) for u in range(1, n + 1)
    ]
    layers = [*convs, 'fc1', 'fc2', 'fc3']
    assert list(shapes) == [f'net/{n}/{kind}' for n in layers for kind in ('weights', 'biases')]
    assert shapes['net/fc1/weights'] == [7, 7, 512, 2048]
    assert shapes['net/fc2/weights'] == [1, 1, 2048, 2048]
    assert shapes['net/fc3/weights'] == [1, 1, 2048, 1000]
    # 14,714,688 of the trunk, and three layers of 2048, 2048 and 1000 units.
    count = sum(np.prod(shape) for shape in shapes.values())
    assert count == 14_714_688 + 51_382_272 + 4_196_352 + 2_049_000

  def test_predictions_softmax_and_a_placeholder_for_keep_prob(self):
    images = np.random.default_rng(0).normal(size=[3, 32, 32, 3]).astype(np.float32)
    with graph_session() as session:
      keep_prob = tf.placeholder(tf.float32, [])
      spec = thin(specs.VGG['vgg_d'])
      outputs = vgg_ops.inference_op(tf.constant(images), keep_prob, 5, 64, 32, spec)
      session.run(tf.global_variables_initializer())
      repeated = [session.run(outputs[:3], {keep_prob: 1.0}) for _ in range(2)]
      dropped = session.run(outputs.logits, {keep_prob: 0.5})
    predictions, softmax, logits = repeated[0]
    np.testing.assert_array_equal(logits, repeated[1][2])
    assert (logits != dropped).any()
    exponentials = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(softmax, exponentials / exponentials.sum(1, keepdims=True), 1e-5)
    np.testing.assert_array_equal(predictions, logits.argmax(1))
    assert logits.min() < 0  # no ReLU on the last layer

  def test_small_images_without_image_size_are_refused_in_words(self):
    with (
      tf.Graph().as_default(),
      pytest.raises(ConfigError, match='32 pixels are too small .*image_size=224: at least 224'),
    ):
      vgg_ops.inference_op(tf.zeros([2, 32, 32, 3]), 0.5)


@pytest.mark.parametrize('mode', [Inference.fast(), Training(fast_cpu_conv=True)])
def test_modes_of_the_tf_slim_network_are_refused(mode):
  with tf.Graph().as_default(), pytest.raises(ConfigError, match='only the tf-slim network has'):
    vgg_ops.build(tf.zeros([1, 224, 224, 3]), specs.VGG['vgg_d'], 3, mode)
