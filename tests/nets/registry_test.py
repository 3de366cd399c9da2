import pytest

from tests.testing import thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference, Training


def test_the_default_image_size_is_that_of_the_network():
  with tf.Graph().as_default():
    outputs = registry.build(
      thin(specs.get('vgg_cifar')), tf.zeros([1, 64, 32, 3]), 10, Inference()
    )
  assert outputs.score_map.shape.as_list() == [1, 2, 1, 10]


@pytest.mark.parametrize('model', ['vgg_d', 'resnet50'])
def test_image_sides_may_be_unknown(model):
  with tf.Graph().as_default():
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    outputs = registry.build(thin(specs.get(model)), images, 5, Inference(), fc_units=8)
  assert outputs.logits.shape.as_list() == [None, 5]


def test_a_second_call_can_reuse_the_variables():
  spec = thin(specs.get('resnet50'))
  with tf.Graph().as_default():
    registry.build(spec, tf.zeros([1, 64, 64, 3]), 5, Training())
    before = len(tf.global_variables())
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      outputs = registry.build(spec, tf.zeros([1, 96, 96, 3]), 5, Inference())
    assert len(tf.global_variables()) == before
  assert 'block4/unit_2/bottleneck_v1/conv2' in outputs.end_points


@pytest.mark.skipif(
  bool(tf.config.list_physical_devices('GPU')), reason='our gradients are for CPUs only'
)
def test_only_training_uses_our_gradients():
  for mode, expected in ((Training(), True), (Inference(), False), (Inference.export(), False)):
    with tf.Graph().as_default() as graph:
      registry.build(thin(specs.get('vgg_a')), tf.zeros([1, 32, 32, 3]), 5, mode, 32, 8)
      operations = graph.as_graph_def().node
    assert any('_gradient_op_type' in node.attr for node in operations) == expected


def test_an_unknown_model_is_refused():
  with pytest.raises(ConfigError, match="Unknown model 'vgg'"):
    registry.build('vgg', tf.zeros([1, 224, 224, 3]), 5, Inference())


@pytest.mark.parametrize('model', ['resnet50', 'resnet_v1_50'])
def test_a_resnet_refuses_pools_that_round_up(model):
  spec, mode = thin(specs.get(model)), Inference(pool_rounding='ceil')
  with (
    tf.Graph().as_default(),
    pytest.raises(ConfigError, match=f'pool_rounding=ceil is the geometry .* {model}'),
  ):
    registry.build(spec, tf.zeros([1, 64, 64, 3]), 5, mode)


@pytest.mark.parametrize(
  ('shape', 'classes', 'mode', 'message'),
  [
    (
      [None, 32, 32],
      2,
      Inference(),
      r'images must be a tensor \[N, H, W, 3\] .* got \(None, 32, 32\)',
    ),
    ([None, 3, 32, 32], 2, Inference(), 'images must be a tensor'),
    ([None, 32, 32, 3], 0, Inference(), 'num_classes must be at least 1'),
    ([None, 32, 32, 3], 2, Inference, 'mode must be Training'),
  ],
)
def test_arguments_of_another_kind_are_named(shape, classes, mode, message):
  with tf.Graph().as_default(), pytest.raises(ConfigError, match=message):
    registry.build('vgg16@4', tf.placeholder(tf.float32, shape), classes, mode)
