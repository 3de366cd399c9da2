import dataclasses

import numpy as np
import pytest

from tests.testing import assign, graph_session, random_values, thin_model, train_config
from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import FineTuneConfig, RuntimeConfig
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.training import graph


def a_manifest():
  identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
  mean, std = (10.0, 20.0, 30.0), (1.0,) * 3
  return Manifest(2, '0', 'folder', ('a', 'b'), mean, std, identity, 32, 32, True, True, 0, 0.0, {})


def build(images, labels):
  config = train_config('data', a_manifest())
  return config, graph.build_train_graph(
    config, tf.constant(images, tf.float32), tf.constant(labels, tf.int32), steps_per_epoch=1.0
  )


def test_one_step_by_hand(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3])
  with graph_session() as session:
    config, ops = build(images, labels=[0, 0, 0, 1])
    session.run(tf.global_variables_initializer())
    variables = {v.op.name: v for v in tf.global_variables()}
    conv, bias = variables['vgg_a/conv1/conv1_1/weights'], variables['vgg_a/fc8/biases']
    fc8 = variables['vgg_a/fc8/weights']
    session.run(fc8.assign(tf.zeros_like(fc8)))
    conv_before = session.run(conv)
    losses = session.run(ops.losses)
    session.run(ops.train_op)
    conv_after, bias_after, rate_after = session.run([conv, bias, ops.learning_rate])
    velocity = session.run(variables['vgg_a/fc8/biases/Momentum'])
  rate, decay = config.optimizer.learning_rate, config.optimizer.weight_decay
  # With fc8 = 0 both classes have probability 1/2, and no gradient of the cross-entropy reaches
  # conv1_1: it only decays. The gradient of fc8's biases is the probability less the share of the
  # class: 1/2 - 3/4 and 1/2 - 1/4.
  assert losses.cross_entropy == np.float32(np.log(2))
  np.testing.assert_allclose(conv_after, conv_before * (1 - rate * decay), rtol=1e-6)
  np.testing.assert_allclose(velocity, [-0.25, 0.25], rtol=1e-6)
  np.testing.assert_allclose(bias_after, [0.25 * rate, -0.25 * rate], rtol=1e-6)
  assert rate_after == np.float32(rate * 0.5)


@pytest.mark.parametrize(
  'settings',
  [
    {},
    {'momentum': 0.0},
    {'nesterov': True},
    {'clip_gradient_norm': 0.1},
    {'optimizer': 'sgd'},
    {'optimizer': 'rmsprop', 'momentum': 0.0, 'rmsprop_decay': 0.0, 'opt_epsilon': 1.0},
  ],
)
@pytest.mark.parametrize('is_first', [True, False])
def test_the_gradient_of_weight_decay_enters_the_update(settings, is_first):
  """Also for a variable that the loss does not depend on: a bias below batch norm."""
  decay, rate, start = 0.25, 0.5, np.array([3.0, -2.0])
  slope = np.array([0.5, 1.0])
  config = train_config('data', a_manifest())
  optimizer_config = dataclasses.replace(
    config.optimizer, weight_decay=decay, weight_decay_on=('weights', 'biases'), **settings
  )
  config = dataclasses.replace(config, optimizer=optimizer_config)
  with graph_session() as session:
    names = ('a/weights', 'a/biases', 'a/gamma')
    variables = [tf.get_variable(n, initializer=tf.constant(start, tf.float32)) for n in names]
    pairs = zip([tf.constant(slope, tf.float32), None, None], variables, strict=True)
    optimizer = graph.build_optimizer(config, tf.constant(rate))
    step = tf.train.get_or_create_global_step()
    update = graph.build_update(config, optimizer, list(pairs), tf.constant(1.0), step, is_first)
    session.run(tf.global_variables_initializer())
    session.run(update)
    got = session.run(variables)
  # The other replicas receive the sum of the gradients, to which the first one adds the decay.
  is_added = is_first or optimizer_config.folds_decay
  pull = decay * start if is_added else 0 * start
  gradients = np.array([slope + pull, pull])
  if config.optimizer.clip_gradient_norm:
    gradients *= min(1, 0.1 / np.sqrt(np.sum(gradients**2)))
  if config.optimizer.nesterov:
    gradients = gradients * (1 + config.optimizer.momentum)
  if config.optimizer.optimizer == 'rmsprop':
    gradients = gradients / np.sqrt(gradients**2 + 1)
  # Tolerance: float32 against float64.
  np.testing.assert_allclose(got, [*(start - rate * gradients), start], rtol=1e-6)


def test_one_step_with_a_single_sigmoid_by_hand(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  config = train_config('data', a_manifest())
  net = dataclasses.replace(config.net, classifier_activation='sigmoid')
  config = dataclasses.replace(config, net=net)
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3]).astype(np.float32)
  with graph_session() as session:
    ops = graph.build_train_graph(config, tf.constant(images), tf.constant([0, 0, 0, 1]), 1.0)
    session.run(tf.global_variables_initializer())
    variables = {v.op.name: v for v in tf.global_variables()}
    weights, bias = variables['vgg_a/fc8/weights'], variables['vgg_a/fc8/biases']
    session.run([weights.assign(tf.zeros_like(weights)), bias.assign([np.log(3)])])
    losses, accuracy, _ = session.run([ops.losses, ops.accuracy, ops.train_op])
    velocity = session.run(variables['vgg_a/fc8/biases/Momentum'])
  # The sigmoid of log 3 is 3/4 for every image, and a quarter of the images is of class 1. The
  # gradient of binary cross-entropy is the probability less the mean label: 3/4 - 1/4.
  assert weights.shape.as_list() == [1, 1, 16, 1]
  assert losses.cross_entropy == pytest.approx(0.75 * np.log(4) + 0.25 * np.log(4 / 3))
  assert accuracy == 0.25
  np.testing.assert_allclose(velocity, [0.5], rtol=1e-6)


def test_class_weights_of_a_single_sigmoid_by_hand(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  config = train_config('data', a_manifest())
  config = dataclasses.replace(
    config,
    net=dataclasses.replace(config.net, classifier_activation='sigmoid'),
    optimizer=dataclasses.replace(config.optimizer, class_weights=(2 / 3, 2.0), weight_decay=0.5),
  )
  images = np.zeros([4, 32, 32, 3], np.float32)
  with graph_session() as session:
    ops = graph.build_train_graph(config, tf.constant(images), tf.constant([0, 0, 0, 1]), 1.0)
    session.run(tf.global_variables_initializer())
    variables = {v.op.name: v for v in tf.global_variables()}
    session.run(variables['vgg_a/fc8/biases'].assign([np.log(3)]))
    decay = sum(np.sum(np.square(w)) for w in session.run(tf.trainable_variables()) if w.ndim == 4)
    losses = session.run(ops.losses)
    session.run(ops.train_op)
    velocity = session.run(variables['vgg_a/fc8/biases/Momentum'])
  # The sigmoid is 3/4 everywhere. Three images weigh 2/3 and have label 0, the other weighs 2.
  assert losses.cross_entropy == pytest.approx((2 * np.log(4) + 2 * np.log(4 / 3)) / 4)
  np.testing.assert_allclose(velocity, [(2 * 0.75 + 2 * (0.75 - 1)) / 4], rtol=1e-6)
  assert losses.regularization == pytest.approx(0.5 * decay / 2, rel=1e-5)  # not weighted


def test_dropout_is_a_function_of_seed_and_step(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3])

  def losses_at(step):
    with graph_session() as session:
      _, ops = build(images, [0, 1, 0, 1])
      shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
      values = random_values(shapes, scale=0.4)
      assign(session, {**values, 'global_step': np.int64(step)})
      return [session.run(ops.losses.cross_entropy) for _ in range(2)]

  first, again = losses_at(3)
  assert first == again == losses_at(3)[0]
  assert first != losses_at(4)[0]


def test_batch_norm_statistics_are_updated_by_each_step():
  images = np.random.default_rng(0).normal(size=[2, 32, 32, 3])
  with graph_session() as session:
    config = train_config('data', a_manifest())
    net = dataclasses.replace(config.net, model='vgg_a_bn', fc_units=4)
    config = dataclasses.replace(config, net=net)
    ops = graph.build_train_graph(
      config, tf.constant(images, tf.float32), tf.constant([0, 1]), steps_per_epoch=1.0
    )
    session.run(tf.global_variables_initializer())
    moving = [v for v in tf.global_variables() if 'moving_mean' in v.op.name]
    moving = [v for v in moving if 'Momentum' not in v.op.name]
    session.run(ops.train_op)
    assert len(moving) == 8
    assert all(np.abs(value).max() > 0 for value in session.run(moving))


def test_frozen_layers_keep_weights_and_batch_norm_statistics():
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3])
  with graph_session() as session:
    config = train_config('data', a_manifest())
    config = dataclasses.replace(
      config,
      net=dataclasses.replace(config.net, model='vgg_a_bn', fc_units=4),
      fine_tune=FineTuneConfig(trainable_scopes=('vgg_a_bn/conv5', 'vgg_a_bn/fc8')),
    )
    ops = graph.build_train_graph(
      config, tf.constant(images, tf.float32), tf.constant([0, 1, 0, 1]), steps_per_epoch=1.0
    )
    session.run(tf.global_variables_initializer())
    variables = slim.get_model_variables()
    before = session.run(variables)
    session.run(ops.train_op)
    after = session.run(variables)
  changed = {
    v.op.name for v, a, b in zip(variables, before, after, strict=True) if not np.array_equal(a, b)
  }
  for name in (v.op.name for v in variables):
    assert (name in changed) == name.startswith(('vgg_a_bn/conv5/', 'vgg_a_bn/fc8/')), name


def test_a_trainable_scope_that_matches_nothing_is_an_error():
  config = train_config('data', a_manifest())
  config = dataclasses.replace(config, fine_tune=FineTuneConfig(trainable_scopes=('fc8',)))
  with (
    graph_session(),
    pytest.raises(ConfigError, match="trainable_scopes: .*'fc8' .did you mean 'vgg_a/fc8'"),
  ):
    graph.build_train_graph(config, tf.zeros([1, 32, 32, 3]), tf.constant([0]), 1.0)


class TestAccumulation:
  IMAGES = np.random.default_rng(1).normal(size=[8, 32, 32, 3])

  def step(self, model, micro_batches, steps=2, labels=(0, 1) * 4, **optimizer):
    """Makes some steps; returns losses and variables, with the initial values under NAME/start."""
    config = train_config('data', a_manifest(), batch_size=8)
    config = dataclasses.replace(
      config,
      net=dataclasses.replace(config.net, model=model),
      optimizer=dataclasses.replace(
        config.optimizer, gradient_accumulation_steps=micro_batches, weight_decay=0.01, **optimizer
      ),
    )
    with graph_session() as session:
      images, labels = tf.constant(self.IMAGES, tf.float32), tf.constant(labels)
      ops = graph.build_train_graph(config, images, labels, steps_per_epoch=1.0)
      shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
      slots = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
      weights = {v.op.name: v.shape.as_list() for v in slim.get_model_variables()}
      assign(session, {**slots, **random_values(weights, scale=0.3), 'global_step': np.int64(0)})
      start = session.run(tf.global_variables())
      losses = [session.run([ops.losses, ops.accuracy, ops.train_op])[:2] for _ in range(steps)]
      after = session.run(tf.global_variables())
    starts = {f'{name}/start': value for name, value in zip(shapes, start, strict=True)}
    return losses, {**dict(zip(shapes, after, strict=True)), **starts}

  # The micro-batches hold different classes, and thus images of different weight.
  @pytest.mark.parametrize(
    'settings', [{}, {'labels': (0, 0, 0, 0, 0, 1, 1, 1), 'class_weights': (0.25, 4.0)}]
  )
  def test_micro_batches_equal_the_whole_batch(self, monkeypatch, settings):
    thin_model(monkeypatch, 'vgg_a')
    whole_losses, whole = self.step('vgg_a', 1, clip_gradient_norm=0.5, **settings)
    parts_losses, parts = self.step('vgg_a', 2, clip_gradient_norm=0.5, **settings)
    # Tolerances: sums of the same float32 numbers in another order.
    np.testing.assert_allclose(parts_losses[1][0], whole_losses[1][0], rtol=1e-5)
    assert parts_losses[1][1] == whole_losses[1][1]
    for name, value in whole.items():
      np.testing.assert_allclose(parts[name], value, rtol=1e-4, atol=1e-6, err_msg=name)

  def test_batch_norm_statistics_are_updated_by_each_micro_batch_in_order(self, monkeypatch):
    thin_model(monkeypatch, 'vgg_a_bn')
    _, after = self.step('vgg_a_bn', 2, steps=1, learning_rate=1e-30)
    kernel = after['vgg_a_bn/conv1/conv1_1/weights']
    with graph_session() as session:
      maps = tf.nn.conv2d(tf.constant(self.IMAGES, tf.float32), kernel, 1, 'SAME')
      first, second = (session.run(tf.reduce_mean(half, [0, 1, 2])) for half in tf.split(maps, 2))
    # The first update of a run replaces the initial value, the second multiplies that by 1 / 10.
    expected = 0.1 * first + 0.9 * second
    got = after['vgg_a_bn/conv1/conv1_1/BatchNorm/moving_mean']
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_moving_averages_by_a_numpy_loop(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  config = train_config('data', a_manifest())
  optimizer = dataclasses.replace(config.optimizer, moving_average_decay=0.15)
  config = dataclasses.replace(config, optimizer=optimizer)
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3])
  with graph_session() as session:
    ops = graph.build_train_graph(
      config, tf.constant(images, tf.float32), tf.constant([0, 1, 0, 1]), steps_per_epoch=1.0
    )
    session.run(tf.global_variables_initializer())
    weights = next(v for v in tf.trainable_variables() if v.op.name == 'vgg_a/fc8/weights')
    name = f'{weights.op.name}/ExponentialMovingAverage'
    average = next(v for v in tf.global_variables() if v.op.name == name)
    expected = session.run(weights)
    for step in range(1, 4):
      session.run(ops.train_op)
      decay = min(0.15, (1 + step) / (10 + step))
      expected = decay * expected + (1 - decay) * session.run(weights)
      np.testing.assert_allclose(session.run(average), expected, rtol=1e-6)
    session.run(ops.start_averages)
    np.testing.assert_array_equal(*session.run([average, weights]))


def test_a_step_whose_loss_is_not_finite_leaves_weights_and_step_alone(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  with graph_session() as session:
    _, ops = build(np.zeros([4, 32, 32, 3]), [0, 1, 0, 1])
    session.run(tf.global_variables_initializer())
    session.run(next(v for v in tf.trainable_variables() if 'fc8/b' in v.name).assign([np.inf, 0]))
    before = session.run(tf.trainable_variables())
    with pytest.raises(tf.errors.InvalidArgumentError, match=graph.LOSS_CHECK):
      session.run(ops.train_op)
    assert session.run(ops.global_step) == 0
    for left, right in zip(before, session.run(tf.trainable_variables()), strict=True):
      np.testing.assert_array_equal(left, right)


def test_each_name_scope_of_a_step_exists_once(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  with tf.Graph().as_default() as session_graph:
    build(np.zeros([4, 32, 32, 3]), labels=[0, 0, 0, 1])
    scopes = {op.name.partition('/')[0] for op in session_graph.get_operations() if '/' in op.name}
  assert {'vgg_a', 'loss', 'accuracy', 'train'} <= scopes
  assert not [scope for scope in scopes if scope.endswith('_1')]


@pytest.mark.parametrize('precision', ['float32', 'bfloat16', 'float16'])
def test_the_loss_is_scaled_only_in_float16(precision):
  config = train_config('data', a_manifest())
  config = dataclasses.replace(config, runtime=RuntimeConfig(precision))
  with tf.Graph().as_default():
    tf.get_variable('a/weights', [2])
    optimizer = graph.build_optimizer(config, tf.constant(0.1))
  assert ('LossScale' in type(optimizer).__name__) == (precision == 'float16')
