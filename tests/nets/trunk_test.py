import math

import numpy as np
import pytest

from tests.evaluation import numpy_vgg
from tests.nets.counts import COUNTS
from tests.testing import assign, graph_session, random_values, thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.nets.registry import build


def build_thin(spec, images, **kwargs):
  return build(thin(spec), images, 3, Inference(), fc_units=8, **kwargs)


@pytest.mark.parametrize('name', specs.VGG)
def test_the_graph_has_the_shapes_of_the_table(name):
  spec = specs.VGG[name]
  with tf.Graph().as_default():
    images = tf.zeros([1, spec.image_size, spec.image_size, 3])
    build(name, images, num_classes=1000, mode=Inference())
    shapes = {v.op.name: tuple(v.shape.as_list()) for v in tf.trainable_variables()}
    others = {v.op.name: tuple(v.shape.as_list()) for v in tf.global_variables()}
  others = {name: shape for name, shape in others.items() if name not in shapes}
  assert shapes == {f'{spec.scope}/{n}': s for n, s in spec.parameter_shapes().items()}
  assert others == {f'{spec.scope}/{n}': s for n, s in spec.non_trainable_shapes().items()}
  sizes = [sum(math.prod(shape) for shape in group.values()) for group in (shapes, others)]
  assert tuple(sizes) == COUNTS[name]


def test_variables_are_those_of_published_slim_checkpoints():
  with tf.Graph().as_default():
    build('vgg16', tf.zeros([1, 224, 224, 3]), num_classes=1000, mode=Inference())
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
  assert shapes['vgg_16/conv1/conv1_1/weights'] == [3, 3, 3, 64]
  assert shapes['vgg_16/conv5/conv5_3/biases'] == [512]
  assert shapes['vgg_16/fc6/weights'] == [7, 7, 512, 4096]
  assert shapes['vgg_16/fc7/weights'] == [1, 1, 4096, 4096]
  assert shapes['vgg_16/fc8/weights'] == [1, 1, 4096, 1000]


@pytest.mark.parametrize(('side', 'map_side'), [(224, 1), (230, 1), (256, 2), (384, 6), (512, 10)])
def test_class_score_map_grows_by_one_each_32_px(side, map_side):
  with tf.Graph().as_default():
    outputs = build_thin(specs.VGG['vgg_d'], tf.zeros([2, side, side + 32, 3]))
  assert outputs.score_map.shape.as_list() == [2, map_side, map_side + 1, 3]
  assert outputs.logits.shape.as_list() == [2, 3]


def test_every_layer_is_an_end_point():
  with tf.Graph().as_default():
    end_points = build_thin(specs.VGG['vgg_b'], tf.zeros([1, 224, 224, 3])).end_points
  convs = [f'conv{s}/conv{s}_{u}' for s in range(1, 6) for u in (1, 2)]
  pools = [f'pool{s}' for s in range(1, 6)]
  assert sorted(end_points) == sorted([*convs, *pools, 'fc6', 'fc7', 'fc8', 'logits'])
  assert end_points['pool5'].shape.as_list() == [1, 7, 7, 32]


def test_the_dense_map_is_the_network_slid_over_the_image():
  # Without padding, cell (i, j) must equal the logits of the window at 32 * (i, j). Only 1x1
  # convolutions have no padding, so all kernels are 1x1 here.
  spec = specs.VGG['vgg_d']
  stages = tuple(tuple(specs.Conv(4, kernel=1) for _ in stage) for stage in spec.stages)
  spec = specs.VggSpec('one', 'one', stages)
  image = np.random.default_rng(0).normal(size=[1, 96, 128, 3]).astype(np.float32)
  with graph_session() as session:
    images = tf.placeholder(tf.float32, [1, None, None, 3])
    outputs = build(spec, images, 3, Inference(), image_size=64, fc_units=8)
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assign(session, random_values(shapes, scale=0.5))
    dense = session.run(outputs.score_map, {images: image})
    assert dense.shape == (1, 2, 3, 3)
    for i, j in np.ndindex(2, 3):
      window = image[:, 32 * i : 32 * i + 64, 32 * j : 32 * j + 64]
      np.testing.assert_allclose(
        session.run(outputs.logits, {images: window})[0], dense[0, i, j], rtol=1e-4, atol=1e-5
      )


def test_the_dense_map_is_the_network_slid_where_the_border_is_black():
  # Without biases, a black image gives zeros like padding does. A spot in the middle activates only
  # cells whose receptive field, 196 px for conv5_3, does not reach the border of a 224 px window.
  image = np.zeros([1, 256, 256, 3], np.float32)
  image[:, 127:129, 127:129] = np.random.default_rng(0).normal(0, 100, [2, 2, 3])
  with graph_session() as session:
    images = tf.placeholder(tf.float32, [1, None, None, 3])
    outputs = build(thin(specs.VGG['vgg_d']), images, 3, Inference(), fc_units=8)
    values = {
      v.op.name: np.zeros(v.shape)
      if v.op.name.endswith('biases')
      else np.random.default_rng(1).normal(0, np.sqrt(2 / np.prod(v.shape[:-1])), v.shape)
      for v in tf.global_variables()
    }
    assign(session, values)
    dense = session.run(outputs.score_map, {images: image})[0]
    windows = [
      session.run(outputs.logits, {images: image[:, y : y + 224, x : x + 224]})[0]
      for y in (0, 32)
      for x in (0, 32)
    ]
  assert np.ptp(dense, axis=(0, 1)).max() > 1e-3 * np.abs(dense).max()  # the cells do differ
  np.testing.assert_allclose(dense.reshape(4, 3), windows, rtol=1e-4, atol=1e-6)


def test_only_training_drops_units():
  def relative_change(mode):
    with graph_session() as session:
      outputs = build(thin(specs.VGG['vgg_a']), tf.ones([1, 32, 32, 3]), 3, mode, 32, 64)
      session.run(tf.global_variables_initializer())
      first, second = session.run(outputs.logits), session.run(outputs.logits)
    return np.abs(first - second).max()

  assert relative_change(Training()) > 0
  assert relative_change(Inference()) == 0


@pytest.mark.parametrize(('name', 'dropouts'), [('vgg_a', 2), ('vgg_cifar', 8 + 2)])
def test_every_dropout_has_its_own_seed(name, dropouts):
  with graph_session() as session:
    seed = tf.constant([1, 2], tf.int64)
    build(thin(specs.VGG[name]), tf.ones([1, 32, 32, 3]), 3, Training(dropout_seed=seed), 32, 64)
    operations = tf.get_default_graph().get_operations()
    drops = [op.outputs[0] for op in operations if 'StatelessRandomUniform' in op.type]
    draws = {tuple(draw.ravel()[:4]) for draw in session.run(drops)}
  assert len(drops) == len(draws) == dropouts


def test_batch_norm_updates_and_weight_decay_are_collected():
  with tf.Graph().as_default():
    build('vgg16_bn', tf.zeros([2, 32, 32, 3]), 10, Training(weight_decay=5e-4), image_size=32)
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2 * 13
    assert len(tf.losses.get_regularization_losses()) == 16


def test_too_small_images_are_refused():
  with (
    tf.Graph().as_default(),
    pytest.raises(ConfigError, match='Images of 192 pixels.*at least 224'),
  ):
    build('vgg16', tf.zeros([1, 224, 192, 3]), 10, Inference())


def test_vgg_cifar_has_the_layers_of_paddles_vgg_bn_drop():
  # 14,710,464 weights of VGG16's convolutions and 2 * 4,224 of their batch norms; 262,144 + 1,024
  # of fc 512 with batch norm; 262,656 of fc 512; 5,130 of ten classes.
  shapes = specs.get('vgg_cifar').parameter_shapes(num_classes=10)
  total = sum(math.prod(shape) for shape in shapes.values())
  assert total == 14_710_464 + 8_448 + 262_144 + 1_024 + 262_656 + 5_130
  names = [layer.name for layer in specs.get('vgg_cifar').layers(10)]
  assert names[:4] == ['conv1/conv1_1', 'dropout1_1', 'conv1/conv1_2', 'pool1']
  assert names[-6:] == ['pool5', 'dropout5', 'fc6', 'dropout6', 'fc7', 'fc8']
  rates = [[conv.dropout for conv in stage] for stage in specs.get('vgg_cifar').stages]
  assert rates == [[0.3, 0], [0.4, 0]] + 3 * [[0.4, 0.4, 0]]


class TestPoolRounding:
  @pytest.mark.parametrize(('rounding', 'expected'), [('floor', math.floor), ('ceil', math.ceil)])
  def test_sides_of_the_score_map(self, rounding, expected):
    """With the paper's pools, 225 to 256 px give eight cells and therefore two scores."""
    spec, mode = thin(specs.VGG['vgg_a'], 1), Inference(pool_rounding=rounding)
    with graph_session() as session:
      images = tf.placeholder(tf.float32, [None, None, None, 3])
      outputs = build(spec, images, 3, mode, fc_units=1)
      session.run(tf.global_variables_initializer())
      shapes = [tf.shape(outputs.end_points['pool5'])[1:3], tf.shape(outputs.score_map)[1:3]]
      for side in range(224, 261):
        pool5, score_map = session.run(shapes, {images: np.zeros([1, side, 224, 3])})
        assert pool5.tolist() == [expected(side / 32), 7]
        assert score_map.tolist() == [expected(side / 32) - 6, 1]

  @pytest.mark.parametrize('rounding', [math.floor, math.ceil])
  @pytest.mark.parametrize('sides', [(65, 83), (96, 64), (127, 97)])
  def test_score_map_equals_numpy_loops(self, rounding, sides):
    spec = thin(specs.VGG['vgg_c'])
    images = np.random.default_rng(0).normal(size=[2, *sides, 3])
    with graph_session() as session:
      fed = tf.placeholder(tf.float32, [None, None, None, 3])
      mode = Inference(pool_rounding=rounding.__name__)
      outputs = build(spec, fed, 3, mode, image_size=64, fc_units=8)
      shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
      values = random_values(shapes, scale=0.4)
      assign(session, values)
      got = session.run(outputs.score_map, {fed: images})
    expected = numpy_vgg.score_map(images, values, spec.scope, rounding)
    assert got.shape == expected.shape
    # 16 layers in float32 compared with float64.
    np.testing.assert_allclose(got, expected, rtol=0, atol=5e-6 * np.abs(expected).max())
