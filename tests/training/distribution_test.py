"""Tests of replicas on virtual CPU devices; tests/integration has several processes."""

import dataclasses
import pathlib
import types

import numpy as np
import pytest

from tests.testing import train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.configs.config import DistributionConfig
from vgg_slim.errors import ConfigError, WorkerLostError
from vgg_slim.training import graph
from vgg_slim.training.cluster import Cluster
from vgg_slim.training.distribution import (
  Agreement,
  Distribution,
  Replica,
  create_distribution,
)

BATCH, STEPS = 8, 6
IMAGES = np.random.default_rng(0).normal(size=[STEPS, BATCH, 32, 32, 3]).astype(np.float32)
LABELS = np.arange(STEPS * BATCH, dtype=np.int32).reshape(STEPS, BATCH) // 3 % 2


@pytest.fixture
def train(tmp_path):
  """Trains with dropout; returns the scalars of each step and the variables in the checkpoint."""

  def run(num_devices, model='vgg_a@4', sync_batch_norm=False, **optimizer):
    config = train_config('data', a_manifest(), batch_size=BATCH)
    config = dataclasses.replace(
      config,
      distribution=DistributionConfig(num_devices, sync_batch_norm),
      net=dataclasses.replace(config.net, model=model),
      optimizer=dataclasses.replace(config.optimizer, weight_decay=0.01, **optimizer),
    )
    with tf.Graph().as_default():
      distribution = create_distribution(config.distribution, None, tf.ConfigProto())
      with distribution.strategy.scope():
        return _train(config, distribution, str(tmp_path / 'model.ckpt'))

  return run


def _train(config, distribution, prefix):
  tf.set_random_seed(0)
  images, labels = tf.placeholder(tf.float32, IMAGES.shape[1:]), tf.placeholder(tf.int32, BATCH)
  ops = graph.build_train_graph(config, images, labels, 100.0, distribution)
  saver = tf.train.Saver()
  fetches = [ops.train_op, ops.losses.cross_entropy, ops.accuracy]
  with tf.train.SingularMonitoredSession(config=distribution.session_config) as monitored:
    session = monitored.raw_session()
    scalars = [
      [
        session.run(ops.losses.regularization),
        *session.run(fetches, {images: IMAGES[step], labels: LABELS[step]}),
      ]
      for step in range(STEPS)
    ]
    reader = tf.train.load_checkpoint(saver.save(session, prefix, write_meta_graph=False))
  return scalars, {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same_training(got, expected):
  np.testing.assert_allclose(got[0], expected[0], rtol=1e-5)
  assert set(got[1]) == set(expected[1])
  for name, value in expected[1].items():
    # float32 sums in another order; the largest measured difference was 2e-6 of the largest value.
    limit = 1e-5 * max(1.0, np.abs(value).max())
    np.testing.assert_allclose(got[1][name], value, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize(
  ('num_devices', 'settings'),
  [
    (4, {}),
    (
      2,
      {
        'clip_gradient_norm': 0.1,
        'class_weights': (0.25, 4.0),
        'gradient_accumulation_steps': 2,
        'moving_average_decay': 0.9,
        'weight_decay_on': ('weights', 'biases'),
        'learning_rate_decay_type': 'plateau',
      },
    ),
    # An epsilon above the rounding errors of gradients near 0, which Adam would amplify.
    (2, {'model': 'vgg_a_bn@4', 'sync_batch_norm': True, 'optimizer': 'adamw', 'opt_epsilon': 0.1}),
  ],
  ids=['four', 'everything that uses gradients', 'batch norm and adamw'],
)
def test_several_devices_train_like_one(train, num_devices, settings):
  assert_same_training(train(num_devices, **settings), train(1, **settings))


@pytest.mark.parametrize('settings', [{}, {'nesterov': True}, {'clip_gradient_norm': 100.0}])
def test_a_variable_that_only_decays_does_so_once_on_several_devices(settings):
  config = train_config('data', a_manifest())
  optimizer_config = dataclasses.replace(
    config.optimizer, weight_decay=0.5, weight_decay_on=('weights', 'biases'), **settings
  )
  config = dataclasses.replace(config, optimizer=optimizer_config)

  def build(replica):
    weights = tf.get_variable('a/weights', initializer=[2.0])
    biases = tf.get_variable('a/biases', initializer=[-4.0])
    optimizer = graph.build_optimizer(config, tf.constant(0.1))
    pairs = [(tf.constant([3.0]), weights), (None, biases)]
    return (
      weights,
      biases,
      graph.build_update(config, optimizer, pairs, tf.constant(1.0), step, replica.index == 0),
    )

  with tf.Graph().as_default():
    distribution = create_distribution(DistributionConfig(2), None, tf.ConfigProto())
    with distribution.strategy.scope():
      step = tf.train.get_or_create_global_step()
      replicas = distribution.build_replicas(build)
      with tf.train.SingularMonitoredSession(config=distribution.session_config) as monitored:
        session = monitored.raw_session()
        session.run([update for *_, update in replicas])
        copies = session.run([[weights, biases] for weights, biases, _ in replicas])
  # Two devices with a gradient of 3 each; Nesterov's rule adds 0.9 of the first momentum.
  factor = 0.1 * (1.9 if 'nesterov' in settings else 1)
  expected = [[2 - factor * (2 * 3 + 0.5 * 2)], [-4 + factor * 0.5 * 4]]
  for copy in copies:
    np.testing.assert_allclose(copy, expected, rtol=1e-6)


@pytest.mark.parametrize('optimizer', ['momentum', 'sgd'])
def test_clipping_exchanges_each_gradient_once(train, monkeypatch, optimizer):
  exchanged = []
  reduce_to = tf.distribute.StrategyExtended.batch_reduce_to

  def count(extended, operation, pairs, *options):
    exchanged.append(len(pairs))
    return reduce_to(extended, operation, pairs, *options)

  monkeypatch.setattr(tf.distribute.StrategyExtended, 'batch_reduce_to', count)
  counts = []
  for limit in (None, 0.1):
    exchanged.clear()
    train(2, optimizer=optimizer, clip_gradient_norm=limit)
    counts.append(sum(exchanged))
  assert counts[0] == counts[1] > 20  # kernels and biases of 11 layers, and the scalars


def test_replicas_share_the_batch_of_their_process():
  config = DistributionConfig(num_devices=3)
  with tf.Graph().as_default():
    distribution = create_distribution(config, None, tf.ConfigProto())
    batch = tf.constant(np.arange(6).reshape(6, 1))
    with distribution.strategy.scope():
      replicas = distribution.build_replicas(lambda replica: (replica, replica.share(batch)))
    assert [replica for replica, _ in replicas] == [
      Replica(index, 3, index, 3) for index in range(3)
    ]
    with tf.Session(config=distribution.session_config) as session:
      shares = session.run([share for _, share in replicas])
  np.testing.assert_array_equal(np.concatenate(shares)[:, 0], np.arange(6))
  assert (distribution.share, distribution.master) == ((0, 1), '')


def test_a_single_process_exchanges_nothing():
  with tf.Graph().as_default() as built:
    agreement = Agreement(Distribution())
    assert agreement.mean(None, [3, 0.5]) == [3, 0.5]
    assert agreement.any(None, True)
    assert not agreement.any(None, False)
    agreement.check_same(None, 7)
    assert not built.get_operations()


def test_only_the_chief_uses_the_train_dir(tmp_path):
  folders = []
  for index in range(2):
    distribution = Distribution(cluster=Cluster(('a:1', 'b:2'), index))
    with distribution.own_folder(str(tmp_path)) as folder:
      folders.append(pathlib.Path(folder))
      assert folders[-1].is_dir()
  assert folders[0] == tmp_path
  assert tmp_path not in folders[1].parents
  assert not folders[1].exists()


@pytest.mark.parametrize(
  ('batch_size', 'parts', 'message'),
  [
    (8, 1, r'batch_size=8 cannot be shared equally by 3 devices\.$'),
    (9, 2, 'batch_size=9 cannot be shared equally by 3 devices in 2 micro-batches each.'),
  ],
)
def test_a_batch_that_cannot_be_shared_equally_is_refused(batch_size, parts, message):
  with tf.Graph().as_default():
    distribution = create_distribution(DistributionConfig(num_devices=3), None, tf.ConfigProto())
    distribution.check_batch(9, 1)
    with pytest.raises(ConfigError, match=message):
      distribution.check_batch(batch_size, parts)


def test_only_visible_gpus_count_as_devices(monkeypatch):
  with tf.Graph().as_default():
    distribution = create_distribution(DistributionConfig(num_devices=8), None, tf.ConfigProto())
  monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: [kind] * 2)
  with pytest.raises(ConfigError, match='num_devices=3, but only 2 GPUs are available'):
    create_distribution(DistributionConfig(num_devices=3), None, tf.ConfigProto())
  assert distribution.session_config.device_count['CPU'] == 8


def test_all_gpus_can_be_used(monkeypatch):
  monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: [kind] * 2)
  monkeypatch.setattr(tf.distribute, 'MirroredStrategy', lambda devices: devices)
  distribution = create_distribution(DistributionConfig(num_devices=2), None, tf.ConfigProto())
  assert distribution.strategy == ['/gpu:0', '/gpu:1']


def test_one_replica_of_each_worker_contributes_its_numbers():
  """Four devices of this process stand in for two workers with two devices each."""
  with tf.Graph().as_default():
    strategy = tf.distribute.MirroredStrategy([f'/cpu:{i}' for i in range(4)])
    distribution = Distribution(strategy, cluster=Cluster(('a:1', 'b:2'), 0))
    with strategy.scope():
      agreement = Agreement(distribution)
      with tf.Session(config=tf.ConfigProto(device_count={'CPU': 4})) as session:
        # Both workers pass the same numbers here, so these are their mean.
        assert agreement.mean(session, [3.0, 5.0]) == [3, 5]
        assert agreement.any(session, True)
        assert not agreement.any(session, False)


def test_a_worker_waits_for_the_others_as_long_as_it_is_told(monkeypatch):
  strategy = types.SimpleNamespace(update_config_proto=lambda config: config)
  monkeypatch.setattr(
    tf.distribute.experimental, 'MultiWorkerMirroredStrategy', lambda cluster_resolver: strategy
  )
  started = {}
  monkeypatch.setattr(tf.train, 'Server', lambda spec, **options: started.update(options))
  config = DistributionConfig(worker_timeout=2.5)
  made = create_distribution(config, Cluster(('a:1', 'b:2'), 1), tf.ConfigProto())
  assert started['config'].operation_timeout_in_ms == 2500
  assert (started['job_name'], started['task_index']) == ('worker', 1)
  assert made.session_config is started['config']


def test_a_worker_without_gpus_has_one_device():
  with pytest.raises(ConfigError, match='without GPUs a worker has one device'):
    create_distribution(DistributionConfig(2), Cluster(('a:1', 'b:2'), 0), tf.ConfigProto())


def test_errors_of_a_lost_worker_are_translated_and_no_others():
  distribution = Distribution(cluster=Cluster(('a:1', 'b:2'), 1))
  with (
    pytest.raises(
      WorkerLostError, match='worker 1 lost its connection to the others .UnavailableError: gone'
    ),
    distribution.explain_worker_loss(),
  ):
    raise tf.errors.UnavailableError(None, None, 'gone\nand more')
  with pytest.raises(tf.errors.ResourceExhaustedError), distribution.explain_worker_loss():
    raise tf.errors.ResourceExhaustedError(None, None, 'no memory')
  with (
    pytest.raises(tf.errors.UnavailableError),
    Distribution().explain_worker_loss(),
  ):
    raise tf.errors.UnavailableError(None, None, 'no worker')
