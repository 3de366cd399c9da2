import numpy as np
import pytest

from tests.testing import assign, graph_session, random_values, thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import registry, specs, vgg_ops

WEIGHT_DECAY = 0.01


def build_slim(images, spec):
  return registry.build(spec, images, 3, False, 64, 8, weight_decay=WEIGHT_DECAY)


def build_ops(images, spec):
  return vgg_ops.build(
    images, spec, 3, is_training=False, image_size=64, fc_units=8, weight_decay=WEIGHT_DECAY
  )


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


@pytest.mark.parametrize('side', [64, 96])
@pytest.mark.parametrize('name', [n for n in specs.VGG if not specs.VGG[n].batch_norm])
def test_both_styles_agree_in_every_layer_and_gradient(name, side):
  spec = thin(specs.VGG[name])
  images = np.random.default_rng(0).normal(size=[2, side, side, 3]).astype(np.float32)
  shapes = {f'{spec.scope}/{n}': s for n, s in spec.parameter_shapes(3, 64, 8).items()}
  values = random_values(shapes, scale=0.4)
  first = forward_and_gradients(build_slim, spec, images, values)
  second = forward_and_gradients(build_ops, spec, images, values)
  assert set(first) == set(second)
  for key in first:
    # Same sums, perhaps in another order: a few float32 roundings of the largest value.
    scale = np.abs(first[key]).max()
    np.testing.assert_allclose(first[key], second[key], rtol=0, atol=2e-6 * scale, err_msg=key)


def test_230_px_is_one_score():
  with tf.Graph().as_default():
    outputs = vgg_ops.build(tf.zeros([1, 230, 230, 3]), thin(specs.VGG['vgg_d']), 3, False)
  assert outputs.score_map.shape.as_list() == [1, 1, 1, 3]


def test_batch_norm_is_refused():
  with (
    tf.Graph().as_default(),
    pytest.raises(ConfigError, match='vgg_d_bn has batch norm'),
  ):
    vgg_ops.build(tf.zeros([1, 224, 224, 3]), specs.VGG['vgg_d_bn'], 3, False)
