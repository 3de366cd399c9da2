import numpy as np
import pytest

from benchmarks.gpu_check import steps
from benchmarks.gpu_check.rows import WrongResultError
from benchmarks.gpu_check.steps import Tolerance
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.training import graph

TOLERANCE = Tolerance(1e-6, 1e-6)


@pytest.fixture(scope='module')
def taken(check):
  return steps.take_steps(check, check.size.model)


def test_the_gradient_is_that_of_the_loss_at_the_reference_weights(check, taken):
  name = next(key for key in taken.gradients if key.endswith('conv1_1/biases'))
  with steps.open_training(check, check.size.model, RuntimeConfig()) as (
    session,
    ops,
    images,
    labels,
  ):
    variable = next(v for v in tf.trainable_variables() if v.op.name == name)
    feed = {images: check.images()[0], labels: check.labels()[0]}
    expected = session.run(tf_gradient(ops, variable), feed)
    assert session.run(ops.losses.cross_entropy, feed) == taken.losses[0]
  np.testing.assert_allclose(taken.gradients[name], expected, rtol=1e-6)


def tf_gradient(ops, variable):
  return next(gradient for gradient, of in ops.gradients if of is variable)


def test_steps_repeat_and_count_what_ran(check, taken):
  compared = steps.compare(check, check.size.model, taken, TOLERANCE)
  assert compared['gradient_error'] <= 1e-6
  # 8 convolutions forward, 8 gradients of kernels and 7 of maps, less those that are computed as
  # matrix products.
  assert set(taken.kinds) == {'float32', 'NHWC'}
  assert taken.kinds['float32'] >= 8
  assert taken.clusters == 0
  assert taken.losses[0] != taken.losses[1]


@pytest.mark.parametrize('change', ['loss', 'gradient', 'nan'])
def test_a_difference_is_named(check, taken, change):
  losses, gradients = taken.losses.copy(), dict(taken.gradients)
  name = list(gradients)[3]
  if change == 'loss':
    losses[1] *= 1.001
  else:
    gradients[name] = gradients[name] * (np.nan if change == 'nan' else 1.001)
  wrong = taken._replace(losses=losses, gradients=gradients)
  with pytest.raises(WrongResultError, match='losses differ by' if change == 'loss' else name):
    steps.compare(check, check.size.model, wrong, Tolerance(1e-4, 1e-4))
  if change != 'nan':
    steps.compare(check, check.size.model, wrong, Tolerance(0.01, 0.01))


def test_a_broken_gradient_of_the_project_is_found(check, monkeypatch):
  build_update = graph.build_update

  def build_broken(config, optimizer, gradients, *rest):
    doubled = [(gradient * 2, variable) for gradient, variable in gradients]
    return build_update(config, optimizer, doubled, *rest)

  monkeypatch.setattr(graph, 'build_update', build_broken)
  wrong = steps.take_steps(check, check.size.model)
  with pytest.raises(WrongResultError, match='gradients by up to 1.0e'):
    steps.compare(check, check.size.model, wrong, Tolerance(0.05, 0.6))
