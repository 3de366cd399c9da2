import dataclasses

import numpy as np
import pytest

from tests.testing import assign, graph_session, random_values, thin_model, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.configs.config import RuntimeConfig
from vgg_slim.training.forward import build_forward

IMAGES = np.random.default_rng(0).normal(size=[4, 32, 32, 3]).astype(np.float32)


def config_with(model='vgg_a', **optimizer):
  config = train_config('data', a_manifest())
  return dataclasses.replace(
    config,
    net=dataclasses.replace(config.net, model=model, fc_units=4),
    optimizer=dataclasses.replace(config.optimizer, **optimizer),
  )


def forward(config, **arguments):
  step = tf.train.get_or_create_global_step()
  return build_forward(config, tf.constant(IMAGES), tf.constant([0, 1, 0, 1]), step, **arguments)


@pytest.mark.parametrize(
  ('optimizer', 'names'),
  [
    ({}, ('weights',)),
    ({'weight_decay_on': ('biases',)}, ('biases',)),
    ({'weight_decay_on': ('weights', 'batch_norm')}, ('weights', 'gamma', 'beta')),
    ({'weight_decay': 0.0}, ()),
    ({'optimizer': 'adamw'}, ()),
  ],
)
def test_weight_decay_covers_the_configured_kinds_of_variables(optimizer, names):
  config = config_with('vgg_a_bn', **{'weight_decay': 0.5, **optimizer})
  with graph_session() as session:
    ops = forward(config)
    session.run(tf.global_variables_initializer())
    decay, values = session.run([ops.losses.regularization, tf.trainable_variables()])
    is_decayed = [v.op.name.rpartition('/')[2] in names for v in tf.trainable_variables()]
  squares = [np.sum(value.astype(np.float64) ** 2) for value in values]
  expected = 0.5 / 2 * sum(s for s, wanted in zip(squares, is_decayed, strict=True) if wanted)
  assert decay == pytest.approx(expected, rel=1e-6)


def test_a_second_pass_shares_variables_and_decay_but_not_dropout(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  with graph_session() as session:
    config = config_with(weight_decay_on=('weights', 'biases'), gradient_accumulation_steps=2)
    first = forward(config, micro_batch=0)
    variables, decays = tf.global_variables(), tf.losses.get_regularization_losses()
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      second = forward(config, micro_batch=1)
      again = forward(config, micro_batch=0)
    assert tf.global_variables() == variables
    assert len(tf.losses.get_regularization_losses()) == len(decays)
    shapes = {v.op.name: v.shape.as_list() for v in variables}
    assign(session, {**random_values(shapes, scale=0.4), 'global_step': np.int64(3)})
    one, two, three = session.run([p.losses.cross_entropy for p in (first, second, again)])
  assert one == three
  assert one != two


@pytest.mark.parametrize(
  ('precision', 'expected'), [('float32', True), ('bfloat16', False), ('float16', False)]
)
def test_winograd_is_used_only_in_float32(precision, expected):
  """All precisions have a float32 graph, which TensorFlow casts when the session runs it."""
  config = config_with('vgg_b')  # its last layers have 512 channels
  config = dataclasses.replace(config, runtime=RuntimeConfig(precision=precision))
  with tf.Graph().as_default() as graph:
    step = tf.train.get_or_create_global_step()
    labels = tf.zeros([16], tf.int32)
    build_forward(config, tf.zeros([16, 64, 64, 3]), labels, step)
    kinds = {op.type for op in graph.get_operations()}
  assert ('ExtractImagePatches' in kinds) == expected
