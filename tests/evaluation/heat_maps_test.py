import numpy as np
import pytest

from tests.testing import graph_session, thin
from vgg_slim.compat import tf
from vgg_slim.evaluation import heat_maps
from vgg_slim.nets import specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.nets.registry import build


def softmax(x):
  return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def test_class_map_is_a_softmax_per_cell():
  scores = np.random.default_rng(0).normal(size=[1, 2, 3, 4]).astype(np.float32)
  with graph_session() as session:
    got = session.run(heat_maps.build_class_map(tf.constant(scores), tf.constant(2)))
  np.testing.assert_allclose(got, softmax(scores)[..., 2], rtol=1e-5)


def test_class_map_of_a_sigmoid():
  z = np.array([[[[-2.0], [0.5]]]], np.float32)
  with graph_session() as session:
    zero, one = session.run([heat_maps.build_class_map(tf.constant(z), c) for c in (0, 1)])
  np.testing.assert_allclose(one, 1 / (1 + np.exp(-z[..., 0])), rtol=1e-6)
  np.testing.assert_allclose(zero + one, 1, rtol=1e-6)


def slow_grad_cam(features, fc6, fc7, fc8, class_id):
  """Grad-CAM of one image with logits fc8 . relu(fc7 . relu(fc6 . max_pool_2x2(features)))."""
  side, channels = features.shape[1:]
  pooled = features.reshape(side // 2, 2, side // 2, 2, channels).max((1, 3))
  (w6, b6), (w7, b7), (w8, _) = fc6, fc7, fc8
  h6 = np.tensordot(pooled, w6, 3) + b6
  h7 = np.maximum(h6, 0) @ w7[0, 0] + b7
  back7 = w8[0, 0][:, class_id] * (h7 > 0)
  back6 = (w7[0, 0] @ back7) * (h6 > 0)
  back_pool = w6 @ back6
  gradient = np.zeros_like(features)
  for row, column, channel in np.ndindex(*pooled.shape):
    window = features[2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
    y, x = np.unravel_index(np.argmax(window), (2, 2))
    gradient[2 * row + y, 2 * column + x, channel] = back_pool[row, column, channel]
  return np.maximum((gradient.mean((0, 1)) * features).sum(-1), 0)


def test_grad_cam_against_gradients_derived_by_hand():
  spec = thin(specs.get('vgg_a'))
  layer = 'conv5/conv5_2'
  images = np.random.default_rng(0).normal(size=[2, 64, 64, 3]).astype(np.float32)
  with graph_session(seed=5) as session:
    outputs = build(spec, tf.constant(images), 3, Inference(), 64, fc_units=6)
    cam = heat_maps.build_grad_cam(outputs, layer, tf.constant(1))
    session.run(tf.global_variables_initializer())
    values = {v.op.name: v for v in tf.trainable_variables()}
    weights = {
      fc: [values[f'{spec.scope}/{fc}/{kind}'] for kind in ('weights', 'biases')]
      for fc in ('fc6', 'fc7', 'fc8')
    }
    got, features, weights = session.run([cam, outputs.end_points[layer], weights])
  expected = [slow_grad_cam(f, *weights.values(), class_id=1) for f in features]
  assert np.max(expected) > 0
  # float32 sums of 16 products through three layers, against float64.
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6 * np.max(expected))


@pytest.mark.parametrize(('class_id', 'sign'), [(0, -1), (1, 1)])
def test_grad_cam_of_a_sigmoid_is_opposite_for_its_two_classes(class_id, sign):
  features = np.array([[[[1.0], [2.0]]]], np.float32)
  with graph_session() as session:
    end_points = {'map': tf.constant(features)}
    logits = tf.reduce_mean(-4 * end_points['map'], [1, 2])
    outputs = NetOutputs(None, logits, end_points)
    got = session.run(heat_maps.build_grad_cam(outputs, 'map', tf.constant(class_id)))
  # Half of d(-4 * mean)/dx = -2 for both cells.
  np.testing.assert_allclose(got[0, 0], np.maximum(sign * -1 * features[0, 0, :, 0], 0))
