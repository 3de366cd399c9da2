from typing import Any

import numpy as np
import pytest

from tests.testing import Recorder, graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import OPTIMIZERS, OptimizerConfig
from vgg_slim.training.optimizers import BUILDERS, build_optimizer, scale_loss

RATE, STEPS = 0.1, 3
START = np.array([1.0, -2.0])
GRADIENTS = np.array([[0.5, -1.0], [0.25, 2.0], [-3.0, 0.125]])


def sgd(weights, settings):
  for gradient in GRADIENTS:
    weights = weights - RATE * gradient
  return weights


def momentum(weights, settings):
  velocity = np.zeros(2)
  decay = settings.weight_decay if settings.folds_decay else 0
  for gradient in GRADIENTS:
    velocity = settings.momentum * velocity + gradient + decay * weights
    step = gradient + settings.momentum * velocity if settings.nesterov else velocity
    weights = weights - RATE * step
  return weights


def adam(weights, settings):
  mean, square = np.zeros(2), np.zeros(2)
  decay = settings.weight_decay if settings.optimizer == 'adamw' else 0
  beta1, beta2 = settings.adam_beta1, settings.adam_beta2
  for t, gradient in enumerate(GRADIENTS, start=1):
    weights = weights * (1 - RATE * decay)
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    # TensorFlow adds epsilon to the root before the correction ("epsilon hat" of the paper).
    scaled = (np.sqrt(square) + settings.opt_epsilon) / np.sqrt(1 - beta2**t)
    weights = weights - RATE * (mean / (1 - beta1**t)) / scaled
  return weights


def rmsprop(weights, settings):
  square, velocity = np.zeros(2), np.zeros(2)
  for gradient in GRADIENTS:
    square = settings.rmsprop_decay * square + (1 - settings.rmsprop_decay) * gradient**2
    root = np.sqrt(square + settings.opt_epsilon)
    velocity = settings.momentum * velocity + RATE * gradient / root
    weights = weights - velocity
  return weights


# Different from TensorFlow's defaults, which would apply if a setting were not passed on.
UNUSUAL: dict[str, Any] = {
  'momentum': 0.7,
  'adam_beta1': 0.6,
  'adam_beta2': 0.8,
  'rmsprop_decay': 0.5,
  'opt_epsilon': 0.1,
  'weight_decay': 0.3,
}
RULES = {'sgd': sgd, 'momentum': momentum, 'adam': adam, 'adamw': adam, 'rmsprop': rmsprop}


@pytest.mark.parametrize(
  'settings',
  [
    *(OptimizerConfig(optimizer=name) for name in OPTIMIZERS),
    OptimizerConfig(nesterov=True),
    *(OptimizerConfig(optimizer=name, **UNUSUAL) for name in OPTIMIZERS),
  ],
)
def test_three_steps_match_a_numpy_loop(settings):
  with graph_session() as session:
    weights = tf.get_variable('weights', initializer=tf.constant(START, tf.float32))
    gradient = tf.placeholder(tf.float32, [2])
    optimizer = build_optimizer(settings, tf.constant(RATE), [weights])
    update = optimizer.apply_gradients([(gradient, weights)])
    session.run(tf.global_variables_initializer())
    for value in GRADIENTS:
      session.run(update, {gradient: value})
    got = session.run(weights)
  # Tolerance: float32 against float64.
  np.testing.assert_allclose(got, RULES[settings.optimizer](START, settings), rtol=1e-5)


def test_rmsprop_goes_as_far_as_that_of_keras():
  """50 steps at a gradient of 1e-3 go 54 learning rates; the rule of `tf.train` goes 0.25."""
  with graph_session() as session:
    weights = tf.get_variable('weights', initializer=[0.0])
    settings = OptimizerConfig(optimizer='rmsprop', opt_epsilon=1e-7)
    optimizer = build_optimizer(settings, tf.constant(1.0), [])
    update = optimizer.apply_gradients([(tf.constant([1e-3]), weights)])
    session.run(tf.global_variables_initializer())
    for _ in range(50):
      session.run(update)
    # What keras.optimizers.RMSprop(1.0) of Keras 3.15.1 gives; float32 sums of 50 steps.
    assert session.run(weights)[0] == pytest.approx(-54.455093, rel=1e-4)


def test_every_optimizer_has_a_builder():
  assert set(BUILDERS) == set(OPTIMIZERS)


@pytest.mark.parametrize(('name', 'optimizer'), OPTIMIZERS.items())
def test_an_optimizer_has_the_settings_and_slots_of_its_row(name, optimizer):
  config = Recorder(OptimizerConfig(optimizer=name))
  with graph_session():
    weights = tf.get_variable('weights', initializer=tf.ones([2]))
    built = BUILDERS[name](config, tf.constant(0.1), [])
    built.apply_gradients([(tf.zeros([2]), weights)])
  assert config.read == set(optimizer.settings)
  assert len(built.get_slot_names()) == optimizer.num_slots


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_only_clipped_gradients_are_summed_already(name):
  for norm in (None, 1.0):
    with graph_session():
      settings = OptimizerConfig(optimizer=name, clip_gradient_norm=norm)
      optimizer = build_optimizer(settings, tf.constant(RATE), [])
    assert optimizer.gradients_are_summed == (norm is not None)


@pytest.mark.parametrize(
  ('folds', 'settings'),
  [
    (True, {}),
    (True, {'momentum': 0.1}),
    (False, {'momentum': 0.0}),
    (False, {'nesterov': True}),
    (False, {'clip_gradient_norm': 1.0}),
    (False, {'optimizer': 'sgd'}),
    (False, {'optimizer': 'adamw'}),
    (False, {'optimizer': 'rmsprop', 'momentum': 0.9}),
  ],
)
def test_only_plain_momentum_adds_the_gradient_of_weight_decay(folds, settings):
  assert OptimizerConfig(**settings).folds_decay == folds


def test_momentum_decays_only_the_given_variables():
  with graph_session() as session:
    variables = [tf.get_variable(name, initializer=[2.0]) for name in ('weights', 'biases')]
    optimizer = build_optimizer(OptimizerConfig(weight_decay=0.5), tf.constant(RATE), variables[:1])
    update = optimizer.apply_gradients([(tf.zeros([1]), v) for v in variables])
    session.run(tf.global_variables_initializer())
    session.run(update)
    assert session.run(variables) == [pytest.approx([2 - RATE * 0.5 * 2]), [2.0]]
    # The momentum that a checkpoint holds: the gradient of the decay is part of it.
    momenta = session.run([optimizer.get_slot(v, 'momentum') for v in variables])
    assert momenta == [pytest.approx([0.5 * 2]), [0.0]]


def test_adamw_decays_only_the_given_variables():
  with graph_session() as session:
    variables = [tf.get_variable(name, initializer=[2.0]) for name in ('weights', 'biases')]
    settings = OptimizerConfig(optimizer='adamw', weight_decay=0.5)
    optimizer = build_optimizer(settings, tf.constant(RATE), variables[:1])
    update = optimizer.apply_gradients([(tf.zeros([1]), v) for v in variables])
    session.run(tf.global_variables_initializer())
    session.run(update)
    assert session.run(variables) == [pytest.approx([2 * (1 - 0.05)]), pytest.approx([2.0])]


def test_a_scaled_loss_makes_the_same_step_and_skips_one_that_overflows():
  with graph_session() as session:
    weights = tf.get_variable('weights', initializer=2.0)
    factor = tf.placeholder(tf.float32, [])
    optimizer = scale_loss(build_optimizer(OptimizerConfig(), tf.constant(RATE), []))
    gradients = optimizer.compute_gradients(weights * factor, [weights])
    update = optimizer.apply_gradients(gradients)
    session.run(tf.global_variables_initializer())
    session.run(update, {factor: 3.0})
    assert session.run(weights) == pytest.approx(2 - RATE * 3)
    assert session.run(gradients[0][0], {factor: 3.0}) == 3
    session.run(update, {factor: np.inf})
    assert session.run(weights) == pytest.approx(2 - RATE * 3)


@pytest.mark.parametrize(
  ('name', 'slot'),
  [('momentum', 'momentum'), ('adam', 'v'), ('adamw', 'm'), ('rmsprop', 'momentum')],
)
def test_slots_start_at_zero_and_share_no_constant(name, slot):
  with graph_session() as session:
    weights = tf.get_variable('weights', initializer=tf.ones([3, 5]))
    optimizer = build_optimizer(OptimizerConfig(optimizer=name), tf.constant(0.1), [])
    optimizer.apply_gradients([(tf.zeros([3, 5]), weights)])
    variable = optimizer.get_slot(weights, slot)
    options, metadata = tf.RunOptions(output_partition_graphs=True), tf.RunMetadata()
    session.run(variable.initializer, options=options, run_metadata=metadata)
    value = session.run(variable)
  # The graph as it runs, after grappler, which would turn tf.zeros into a constant.
  kinds = {node.op for graph in metadata.partition_graphs for node in graph.node}
  assert 'Empty' in kinds
  np.testing.assert_array_equal(value, np.zeros([3, 5]))
