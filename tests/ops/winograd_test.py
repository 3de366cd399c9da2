import numpy as np
import pytest

from tests.testing import assign, graph_session, random_network_values
from vgg_slim.compat import tf
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.ops import cached_weights, conv_thresholds, winograd

RNG = np.random.default_rng(0)


def direct(images, kernel):
  """Zero-padded 3x3 convolution in float64."""
  count, height, width, _ = images.shape
  padded = np.pad(images.astype(float), [(0, 0), (1, 1), (1, 1), (0, 0)])
  maps = np.zeros([count, height, width, kernel.shape[3]])
  for i in range(3):
    for j in range(3):
      maps += padded[:, i : i + height, j : j + width] @ kernel[i, j].astype(float)
  return maps


def direct_gradients(images, kernel, grad):
  """Gradients of `direct` with respect to images and kernel, in float64."""
  count, height, width, n_in = images.shape
  padded = np.pad(images.astype(float), [(0, 0), (1, 1), (1, 1), (0, 0)])
  of_padded, of_kernel = np.zeros(padded.shape), np.zeros(kernel.shape)
  for i in range(3):
    for j in range(3):
      window = np.s_[:, i : i + height, j : j + width]
      of_padded[window] += grad @ kernel[i, j].astype(float).T
      of_kernel[i, j] = np.einsum('nhwc,nhwk->ck', padded[window], grad)
  return of_padded[:, 1:-1, 1:-1], of_kernel


def assert_close(got, expected):
  # The coefficients are up to 8, of both signs: ten times the error of a direct float32 sum.
  np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize('known', [True, False])
@pytest.mark.parametrize('shape', [(2, 8, 12, 3), (3, 9, 14, 5), (1, 1, 3, 2)])
def test_values_and_gradients_are_those_of_a_convolution(shape, known):
  images, kernel = RNG.normal(size=shape), RNG.normal(size=[3, 3, shape[3], 4])
  factors = RNG.normal(size=[*shape[:3], 4])
  with graph_session() as session:
    fed = tf.placeholder(tf.float32, shape if known else [None, None, None, shape[3]])
    weights = tf.constant(kernel, tf.float32)
    results = []
    for maps in (
      winograd.convolve(fed, weights),
      tf.nn.conv2d(fed, weights, strides=1, padding='SAME'),
      winograd.convolve_transformed(fed, winograd.transform_kernel(weights)),
    ):
      results.append([maps, *tf.gradients(maps * factors.astype(np.float32), [fed, weights])])
    ours, tensorflows, plain = session.run(results, {fed: images})
  assert_close(ours[0], direct(images, kernel))
  for got in (ours, plain):
    for a, b in zip(got, tensorflows, strict=True):
      assert_close(a, b)


@pytest.mark.parametrize('kind', conv_thresholds.BY_KIND)
@pytest.mark.parametrize('channels', [(64, 64), (64, 128), (128, 128)])
def test_gradients_are_those_of_float64_by_every_way(monkeypatch, kind, channels):
  """The gradient of the maps is direct for few channels."""
  monkeypatch.setattr(conv_thresholds, 'current', lambda: conv_thresholds.BY_KIND[kind])
  n_in, n_out = channels
  images = RNG.normal(size=[2, 6, 9, n_in]).astype(np.float32)
  kernel = RNG.normal(size=[3, 3, n_in, n_out]).astype(np.float32)
  factors = RNG.normal(size=[2, 6, 9, n_out]).astype(np.float32)
  with graph_session() as session:
    inputs = [tf.constant(images), tf.constant(kernel)]
    maps = winograd.convolve(*inputs)
    got = session.run(tf.gradients(maps * factors, inputs))
    kinds = {op.type for op in session.graph.get_operations()}
  limit = conv_thresholds.BY_KIND[kind].map_gradient_channels
  assert ('Conv2DBackpropInput' in kinds) == (min(channels) < limit)
  for a, b in zip(got, direct_gradients(images, kernel, factors), strict=True):
    assert_close(a, b)


def test_an_identity_kernel_copies_the_map():
  images = RNG.normal(size=[1, 6, 5, 3])
  kernel = np.zeros([3, 3, 3, 3])
  kernel[1, 1] = np.eye(3)
  with graph_session() as session:
    maps = session.run(
      winograd.convolve(tf.constant(images, tf.float32), tf.constant(kernel, tf.float32))
    )
  assert_close(maps, images)


def test_the_kernel_may_be_a_variable():
  with graph_session() as session:
    kernel = tf.get_variable('kernel', initializer=tf.ones([3, 3, 1, 1]))
    maps = winograd.convolve(tf.ones([1, 4, 4, 1]), kernel)
    (gradient,) = tf.gradients(maps, kernel)
    session.run(kernel.initializer)
    maps, gradient = session.run([maps, gradient])
  expected = np.outer([2, 3, 3, 2], [2, 3, 3, 2])  # number of pixels in the window of each pixel
  assert_close(maps[0, :, :, 0], expected)
  assert_close(gradient[:, :, 0, 0], np.outer([3, 4, 3], [3, 4, 3]))


@pytest.mark.parametrize(
  ('shape', 'kernel', 'stride', 'padding', 'expected'),
  [
    ([16, 28, 28, 512], [3, 3, 512, 512], 1, 'SAME', True),
    ([None, None, None, 256], [3, 3, 256, 512], 1, 'SAME', True),
    ([16, 28, 28, 512], [3, 3, 512, 512], 2, 'SAME', False),
    ([16, 28, 28, 512], [3, 3, 512, 512], 1, 'VALID', False),
    ([16, 28, 28, 512], [1, 1, 512, 512], 1, 'SAME', False),
    ([16, 224, 224, 64], [3, 3, 64, 64], 1, 'SAME', False),
    ([128, 2, 2, 512], [3, 3, 512, 512], 1, 'SAME', False),  # most of a tile is beyond the border
    ([1, 7, 7, 512], [3, 3, 512, 512], 1, 'SAME', False),  # 4 tiles: the kernel dominates
    ([16, 7, 7, 512], [3, 3, 512, 512], 1, 'SAME', True),
    # The limits of input channels, output channels, rows, columns and tiles, and one less.
    ([16, 28, 28, 128], [3, 3, 128, 128], 1, 'SAME', True),
    ([16, 28, 28, 127], [3, 3, 127, 128], 1, 'SAME', False),
    ([16, 28, 28, 128], [3, 3, 128, 127], 1, 'SAME', False),
    ([16, 4, 4, 128], [3, 3, 128, 128], 1, 'SAME', True),
    ([16, 3, 28, 128], [3, 3, 128, 128], 1, 'SAME', False),
    ([16, 28, 3, 128], [3, 3, 128, 128], 1, 'SAME', False),
    ([15, 4, 4, 128], [3, 3, 128, 128], 1, 'SAME', False),
  ],
)
def test_is_faster_for_large_convolutions(monkeypatch, shape, kernel, stride, padding, expected):
  zen4 = conv_thresholds.BY_KIND['avx512_bf16']
  monkeypatch.setattr(conv_thresholds, 'current', lambda: zen4)
  with tf.Graph().as_default():
    images = tf.placeholder(tf.float32, shape)
    assert winograd.is_faster(images, kernel, stride, padding) is expected
    halves = tf.placeholder(tf.bfloat16, shape)
    assert not winograd.is_faster(halves, kernel, stride, padding)


@pytest.mark.parametrize(
  ('kind', 'shape', 'kernel', 'trains', 'expected'),
  [
    ('avx2', [4, 224, 224, 64], [3, 3, 64, 64], True, True),
    ('avx2', [4, 224, 224, 64], [3, 3, 64, 64], False, False),
    ('avx2', [4, 224, 224, 64], [3, 3, 64, 63], True, False),
    ('avx2', [32, 4, 4, 512], [3, 3, 512, 512], True, True),
    ('avx2', [31, 4, 4, 512], [3, 3, 512, 512], True, False),
    ('avx2', [31, 4, 4, 512], [3, 3, 512, 512], False, True),
    ('avx512_bf16', [4, 112, 112, 64], [3, 3, 64, 128], True, True),
    ('avx512_bf16', [4, 112, 112, 64], [3, 3, 64, 128], False, False),
    ('avx512_bf16', [4, 112, 112, 64], [3, 3, 64, 127], True, False),
    ('avx512_bf16', [4, 112, 112, 63], [3, 3, 63, 512], True, False),
    ('avx512_bf16', [16, 7, 7, 512], [3, 3, 512, 512], True, True),
    ('avx512_bf16', [15, 7, 7, 512], [3, 3, 512, 512], True, False),
    ('avx512_bf16', [15, 7, 7, 512], [3, 3, 512, 512], False, True),
  ],
)
def test_training_and_inference_have_limits_of_their_own(
  monkeypatch, kind, shape, kernel, trains, expected
):
  monkeypatch.setattr(conv_thresholds, 'current', lambda: conv_thresholds.BY_KIND[kind])
  with tf.Graph().as_default():
    images = tf.placeholder(tf.float32, shape)
    assert winograd.is_faster(images, kernel, 1, 'SAME', trains) is expected


def network(mode, model='vgg_b_bn@16'):
  """Results, variables and operation types of a network whose last layers have 128 channels."""
  images = np.random.default_rng(1).normal(size=[16, 64, 64, 3]).astype(np.float32)
  with graph_session() as session:
    outputs = registry.build(
      model, tf.constant(images), 3, mode, image_size=64, fc_units=8, dropout_keep_prob=1.0
    )
    kernel = next(v for v in tf.trainable_variables() if 'conv1_2/weights' in v.op.name)
    training = isinstance(mode, Training)
    gradient = tf.gradients(outputs.logits[:, 0], kernel) if training else []
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assign(session, random_network_values(shapes, scale=0.2))
    cached_weights.fill(session)
    got = session.run([outputs.logits, *gradient])
  return got, shapes, {op.type for op in session.graph.get_operations()}


@pytest.mark.parametrize(
  ('plain', 'fast'),
  [(Training(), Training(fast_cpu_conv=True)), (Inference.export(), Inference.fast())],
)
def test_a_network_computes_the_same_with_winograd(plain, fast):
  expected, shapes, kinds = network(plain)
  got, same_shapes, with_winograd = network(fast)
  assert same_shapes == shapes
  assert 'ExtractImagePatches' in with_winograd - kinds
  # Two consecutive layers, whose batch norm scales errors together with the values.
  np.testing.assert_allclose(got[0], expected[0], rtol=0, atol=1e-4 * np.abs(expected[0]).max())
  for a, b in zip(got[1:], expected[1:], strict=True):
    # Gradients agree to 3e-6 unless rounding decides which pixel is the largest of a window, or
    # which side of 0 a value has: then up to 8e-3, in 2 of 6 batches with the limits of AVX2.
    np.testing.assert_allclose(a, b, rtol=0, atol=3e-2 * np.abs(b).max())
