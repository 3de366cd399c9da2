"""ResNets compared with tf_slim and Keras, which share no code with them, on the same weights."""

from unittest import mock

import keras
import numpy as np
import pytest
import tf_slim.nets

from tests.nets.counts import COUNTS
from tests.testing import assign, graph_session, random_values, thin
from vgg_slim.compat import slim, tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.nets.registry import build

BLOCKS = ['block1', 'block2', 'block3', 'block4']


def random_weights(shapes, seed=0):
  """Values that keep 50 layers in range: weights of He's scale, and positive variances."""
  rng = np.random.default_rng(seed)
  values = random_values(shapes, seed)
  for name, shape in shapes.items():
    if name.endswith('weights'):
      values[name] *= 10 * np.sqrt(2 / np.prod(shape[:-1]))
    elif name.endswith(('gamma', 'moving_variance')):
      values[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)
  return values


def all_shapes(spec, num_classes):
  shapes = {**spec.parameter_shapes(num_classes), **spec.non_trainable_shapes(num_classes)}
  return {f'{spec.scope}/{name}': shape for name, shape in shapes.items()}


def assert_close(got, expected, name):
  # About 50 layers of float32 sums in another order: 2e-5 of the largest value.
  largest = np.abs(expected).max()
  np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * largest, err_msg=name)
  assert largest > 1e-3


class TestTfSlim:
  @pytest.mark.parametrize('depth', [50, 101, 152])
  def test_units_are_those_of_slim(self, depth):
    # Compares the arguments of slim's generator, since building its 152 layers takes 20 s.
    module, spec = tf_slim.nets.resnet_v1, specs.get(f'resnet_v1_{depth}')
    with mock.patch.object(module, 'resnet_v1') as generator:
      getattr(module, spec.name)(None)
    units = [
      (f'{block.scope}/unit_{u}/bottleneck_v1', unit['depth_bottleneck'], unit['stride'])
      for block in generator.call_args.args[1]
      for u, unit in enumerate(block.args, start=1)
    ]
    assert [(unit.scope, unit.channels[0], unit.strides[1]) for unit in spec.units()] == units
    assert spec.scope == generator.call_args.kwargs['scope']

  def test_blocks_and_logits(self):
    # 224 is the published side; 65 gives odd maps, for which stride and padding details matter.
    spec = specs.get('resnet_v1_50')
    values = random_weights(all_shapes(spec, 7))
    images = np.random.default_rng(1).normal(0, 60, [1, 224, 65, 3]).astype(np.float32)
    with graph_session() as session:
      with slim.arg_scope(tf_slim.nets.resnet_v1.resnet_arg_scope()):
        logits, end_points = tf_slim.nets.resnet_v1.resnet_v1_50(images, 7, is_training=False)
      shapes = {v.op.name: tuple(v.shape.as_list()) for v in tf.global_variables()}
      assert shapes == all_shapes(spec, 7)
      assign(session, values)
      tensors = [end_points[f'resnet_v1_50/{name}'] for name in BLOCKS]
      expected = session.run([*tensors, logits[:, 0, 0]])
    with graph_session() as session:
      outputs = build('resnet_v1_50', tf.constant(images), 7, Inference())
      assign(session, values)
      names = [*BLOCKS, 'logits']
      got = session.run([outputs.end_points[name] for name in names])
    for name, a, b in zip(names, got, expected, strict=True):
      assert_close(a, b, name)


def keras_name(layer):
  """'block2/unit_3/bottleneck_v1/conv1' -> 'conv3_block3_1'; the stem is 'conv1'."""
  if '/' not in layer:
    return layer
  block, unit, _, conv = layer.split('/')
  number = {'shortcut': 0, 'conv1': 1, 'conv2': 2, 'conv3': 3}[conv]
  return f'conv{int(block[-1]) + 1}_block{unit[5:]}_{number}'


def keras_network(spec, side):
  """keras.applications.ResNet50 itself, or with the pool and epsilon of the row 'resnet50'."""

  def clone(layer):
    config = layer.get_config()
    if layer.name == 'pool1_pad':
      config['padding'] = spec.pool_padding
    if isinstance(layer, keras.layers.BatchNormalization):
      config['epsilon'] = spec.batch_norm.epsilon
    return type(layer).from_config(config)

  network = keras.applications.ResNet50(
    weights=None, input_shape=[side, side, 3], classes=7, classifier_activation=None
  )
  if spec.name == 'resnet50_keras':
    return network
  return keras.models.clone_model(network, clone_function=clone)


def load_into_keras(network, spec, values):
  for layer in spec.layers(7):
    if not layer.has_weights:
      continue
    get = {k.removeprefix(f'{spec.scope}/{layer.name}/'): v for k, v in values.items()}.get
    if layer.name == 'logits':
      arrays = [get('weights')[0, 0], get('biases')]
      network.get_layer('predictions').set_weights(arrays)
      continue
    name = keras_name(layer.name)
    network.get_layer(f'{name}_conv').set_weights([get('weights'), get('biases')])
    vectors = ('gamma', 'beta', 'moving_mean', 'moving_variance')
    network.get_layer(f'{name}_bn').set_weights([get(f'BatchNorm/{v}') for v in vectors])


class TestKeras:
  # At 107 px the maps have 54, 26 (not padded) or 27, 14 and 7 cells: odd and even sides.
  @pytest.mark.parametrize(('model', 'side'), [('resnet50', 107), ('resnet50_keras', 224)])
  def test_blocks_and_logits(self, model, side):
    spec = specs.get(model)
    network = keras_network(spec, side)
    values = random_weights(all_shapes(spec, 7))
    load_into_keras(network, spec, values)
    images = np.random.default_rng(1).normal(0, 60, [1, side, side, 3]).astype(np.float32)
    last = [f'conv{b + 2}_block{block.units}_out' for b, block in enumerate(spec.blocks)]
    tensors = [network.get_layer(name).output for name in last]
    expected = keras.Model(network.inputs, [*tensors, network.outputs[0]])([images])
    names = [*BLOCKS, 'logits']
    with graph_session() as session:
      outputs = build(model, tf.constant(images), 7, Inference())
      assign(session, values)
      got = session.run([outputs.end_points[name] for name in names])
    for name, a, b in zip(names, got, expected, strict=True):
      assert_close(a, b.numpy(), name)

  def test_parameter_counts_are_those_of_keras(self):
    network = keras.applications.ResNet50(weights=None)
    assert network.count_params() == 25_636_712
    trained = sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    assert (trained, network.count_params() - trained) == COUNTS['resnet50']


@pytest.mark.parametrize(
  ('model', 'side'), [('resnet50', 55), ('resnet50_keras', 56), ('resnet_v1_50', 28)]
)
def test_side_of_the_first_block_at_224_px(model, side):
  # slim's is 28 already: the last unit of a block has the stride, not the first of the next.
  with tf.Graph().as_default():
    images = tf.zeros([1, 224, 224, 3])
    end_points = build(thin(specs.get(model)), images, None, Inference()).end_points
  assert end_points['block1'].shape.as_list() == [1, side, side, 16]
  assert end_points['block4'].shape.as_list() == [1, 7, 7, 128]


class TestScoreMap:
  def build_and_run(self, side, **kwargs):
    spec = thin(specs.get('resnet50'))
    images = np.random.default_rng(0).normal(size=[2, side, side + 32, 3]).astype(np.float32)
    with graph_session() as session:
      outputs = build(spec, tf.constant(images), 3, Inference(), **kwargs)
      assign(session, random_weights({v.op.name: v.shape for v in tf.global_variables()}))
      return session.run([outputs.score_map, outputs.logits])

  def test_the_logits_are_its_average(self):
    score_map, logits = self.build_and_run(96)
    assert score_map.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(score_map.mean((1, 2)), logits, rtol=1e-5, atol=1e-6)
    assert np.ptp(score_map, axis=1).max() > 1e-3

  def test_a_head_with_hidden_units_slides_over_windows_of_image_size(self):
    score_map, logits = self.build_and_run(96, image_size=64, head='fc512_512')
    assert score_map.shape == (2, 2, 3, 3)
    np.testing.assert_allclose(score_map.mean((1, 2)), logits, rtol=1e-5, atol=1e-6)


def test_training_collects_updates_and_weight_decay():
  with tf.Graph().as_default():
    spec = thin(specs.get('resnet50'))
    build(spec, tf.zeros([2, 64, 64, 3]), 3, Training(weight_decay=1e-4))
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2 * (1 + 4 * 7)
    assert len(tf.losses.get_regularization_losses()) == 1 + 4 * 7 + 1


def test_images_smaller_than_the_unpadded_pool_are_refused():
  spec = thin(specs.get('resnet50'))
  with tf.Graph().as_default():
    outputs = build(spec, tf.zeros([1, 5, 5, 3]), 3, Inference())
    assert outputs.score_map.shape.as_list() == [1, 1, 1, 3]
    with pytest.raises(ConfigError, match='Images of 4 pixels.*at least 5'):
      build(spec, tf.zeros([1, 5, 4, 3]), 3, Inference())
