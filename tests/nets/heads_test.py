import numpy as np
import pytest

from tests.testing import graph_session, thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.registry import build

MODELS = ['vgg_a', 'vgg_cifar', 'resnet50']


@pytest.mark.parametrize('head', head_specs.HEADS)
@pytest.mark.parametrize('model', MODELS)
def test_every_head_fits_every_trunk(model, head):
  spec = thin(specs.get(model))
  with tf.Graph().as_default():
    outputs = build(spec, tf.zeros([2, 64, 64, 3]), 3, Inference(), 64, fc_units=8, head=head)
    shapes = {v.op.name: tuple(v.shape.as_list()) for v in tf.trainable_variables()}
  sizes = (3, 64, 8, head)
  assert shapes == {f'{spec.scope}/{n}': s for n, s in spec.parameter_shapes(*sizes).items()}
  assert outputs.logits.shape.as_list() == [2, 3]
  # 64 px give a 2x2 map; a linear layer on averaged features scores each cell of it.
  linear = not head_specs.get(head).hidden
  side = 2 if linear and (model == 'resnet50' or head == 'average') else 1
  assert outputs.score_map.shape.as_list() == [2, side, side, 3]


@pytest.mark.parametrize('model', MODELS)
def test_one_class_gives_one_logit(model):
  with tf.Graph().as_default():
    outputs = build(thin(specs.get(model)), tf.zeros([2, 64, 64, 3]), 1, Inference(), 64, 8)
  assert outputs.logits.shape.as_list() == [2, 1]
  assert outputs.score_map.shape[-1] == 1


@pytest.mark.parametrize('model', MODELS)
def test_no_classes_give_the_trunk_alone(model):
  spec = thin(specs.get(model))
  with tf.Graph().as_default():
    outputs = build(spec, tf.zeros([1, 150, 150, 3]), None, Inference())
    names = {v.op.name for v in tf.trainable_variables()}
  assert outputs.logits is None
  assert outputs.score_map is None
  assert names == {f'{spec.scope}/{n}' for n in spec.parameter_shapes(None)}
  last = outputs.end_points[spec.trunk_layers()[-1].name]
  # 150 px give 4x4 cells, as in the tutorial on bottleneck features; ResNets round up.
  assert last.shape.as_list()[1:3] == ([5, 5] if model == 'resnet50' else [4, 4])


def test_the_linear_layer_of_the_cifar_head_has_no_relu():
  with graph_session() as session:
    spec = thin(specs.get('vgg_cifar'))
    images = np.random.default_rng(0).normal(size=[4, 32, 32, 3]).astype(np.float32)
    end_points = build(spec, tf.constant(images), 3, Inference()).end_points
    session.run(tf.global_variables_initializer())
    fc6, fc7 = session.run([end_points['fc6'], end_points['fc7']])
  assert fc6.min() == 0 < fc6.max()
  assert fc7.min() < 0 < fc7.max()


def test_an_unknown_head_is_refused():
  with (
    tf.Graph().as_default(),
    pytest.raises(ConfigError, match="Unknown head 'fc'; expected one of vgg, linear, fc512_512"),
  ):
    build('vgg16', tf.zeros([1, 224, 224, 3]), 3, Inference(), head='fc')
