"""Keras applications with the same weights have the same logits."""

import keras
import numpy as np
import pytest

from tests.testing import graph_session, random_values
from vgg_slim.compat import tf
from vgg_slim.nets import specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.registry import build

SIDE = 64  # fc6 has a 2x2 window; 224 px would take 20 times as long


def keras_name(name):
  """'conv3/conv3_2' -> 'block3_conv2', fc6, fc7, fc8 -> fc1, fc2, predictions."""
  stage, _, unit = name.rpartition('/')
  if stage:
    return f'block{stage[-1]}_conv{unit[-1]}'
  return {'fc6': 'fc1', 'fc7': 'fc2', 'fc8': 'predictions'}[name]


@pytest.mark.parametrize(('model', 'application'), [('vgg16', 'VGG16'), ('vgg19', 'VGG19')])
def test_logits_and_stages_equal_those_of_keras(model, application):
  network = getattr(keras.applications, application)(
    weights=None, input_shape=[SIDE, SIDE, 3], classes=10, classifier_activation=None
  )
  spec = specs.get(model)
  values = random_values(spec.parameter_shapes(10, SIDE), scale=0.03)
  for layer in {name.rpartition('/')[0] for name in values}:
    kernel, bias = network.get_layer(keras_name(layer)).weights
    kernel.assign(values[f'{layer}/weights'].reshape(kernel.shape))
    bias.assign(values[f'{layer}/biases'])
  images = np.random.default_rng(1).normal(0, 60, [2, SIDE, SIDE, 3]).astype(np.float32)
  stages = [f'pool{s}' for s in range(1, 6)]
  expected = keras.Model(
    network.inputs,
    [network.outputs[0]] + [network.get_layer(f'block{s[-1]}_pool').output for s in stages],
  )([images])
  with graph_session() as session:
    outputs = build(model, tf.constant(images), 10, Inference(), image_size=SIDE)
    for variable in tf.global_variables():
      variable.load(values[variable.op.name.partition('/')[2]], session)
    got = session.run([outputs.logits] + [outputs.end_points[s] for s in stages])
  for name, a, b in zip(['logits', *stages], got, expected, strict=True):
    b = b.numpy()
    # 16 layers of float32 sums in another order: 1e-5 of the largest value.
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max(), err_msg=name)
    assert np.abs(b).max() > 1e-3
