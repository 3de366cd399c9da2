import numpy as np
import pytest

from tests.testing import graph_session, thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import geometry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.registry import build


def test_grids_of_vgg_by_hand():
  spec = specs.get('vgg16')
  grids = geometry.grids(spec.trunk_layers())
  assert grids['conv1/conv1_2'] == (0, 1)
  assert grids['pool1'] == (0.5, 2)
  assert grids['conv5/conv5_3'] == (0.5 + 1 + 2 + 4, 16)
  # A cell of the score map sees 224 pixels, 0 to 223.
  assert geometry.score_map_grid(spec, 224, 4096, None) == (111.5, 32)


def test_grids_of_resnet_by_hand():
  spec = specs.get('resnet50_keras')
  grids = geometry.grids(spec.trunk_layers())
  assert grids['conv1'] == (0, 2)  # a 7x7 window that starts with 3 zeros has its center on pixel 0
  last = grids['block4/unit_3/bottleneck_v1']
  assert last.step == 32
  assert geometry.score_map_grid(spec, 224, 4096, None) == last
  hidden = geometry.score_map_grid(spec, 224, 4096, 'fc256')
  assert hidden == (last.first + 3 * 32, 32)  # the middle one of seven cells


@pytest.mark.parametrize(
  ('model', 'layer'), [('vgg_a', 'pool3'), ('resnet50', 'block2'), ('resnet_v1_50', 'block2')]
)
def test_a_cell_depends_on_the_pixels_around_its_center(model, layer):
  spec = thin(specs.get(model))
  cell = 4
  with graph_session(seed=1) as session:
    images = tf.random.normal([1, 128, 128, 3], seed=3)
    end_point = build(spec, images, None, Inference()).end_points[layer]
    (gradient,) = tf.gradients(end_point[0, cell, cell], images)
    session.run(tf.global_variables_initializer())
    weights = np.abs(session.run(gradient)[0]).sum(axis=(0, 2))
  touched = np.flatnonzero(weights)
  name, (first, step) = geometry.find_layer(spec, layer)
  assert name == layer
  # Inactive ReLUs may remove some pixels at either end of the receptive field.
  assert abs((touched[0] + touched[-1]) / 2 - (first + cell * step)) <= step / 2


def test_last_features_are_the_map_before_the_final_pool():
  assert geometry.last_features(specs.get('vgg16')) == 'conv5/conv5_3'
  assert geometry.last_features(specs.get('resnet50')) == 'block4/unit_3/bottleneck_v1'


def test_layers_are_found_by_the_last_part_of_their_scope():
  assert geometry.find_layer(specs.get('vgg16'), 'conv4_2')[0] == 'conv4/conv4_2'
  assert geometry.find_layer(specs.get('vgg16'), 'pool5')[0] == 'pool5'


@pytest.mark.parametrize(
  ('model', 'layer', 'message'),
  [
    ('vgg16', 'fc6', "vgg_d has no layer 'fc6' below its head. .*tools/describe --model=vgg_d"),
    ('vgg16', 'conv5/conv5_4', "Did you mean 'conv5/conv5_3'"),
    ('resnet50', 'conv3', "resnet50 has several layers 'conv3'"),
  ],
)
def test_unknown_and_ambiguous_layers_are_refused(model, layer, message):
  with pytest.raises(ConfigError, match=message):
    geometry.find_layer(specs.get(model), layer)
