"""Compares products whose kernel gradients are left to the update with NumPy."""

import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.ops import block_sizes, blockwise
from vgg_slim.training import optimizers

RNG = np.random.default_rng(0)
INPUTS, KERNEL = RNG.normal(size=[4, 24]), RNG.normal(size=[2, 2, 6, 10])
FACTORS = RNG.normal(size=[4, 10])
MATRIX = KERNEL.reshape(24, 10)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
  monkeypatch.setattr(block_sizes, 'BLOCK_BYTES', 4 * 10 * 3)  # three of the six channels


def build(dtype=tf.float32):
  """Variable, inputs, and pairs of gradient and variable of sum(FACTORS * product)."""
  kernel = tf.get_variable('kernel', initializer=KERNEL.astype(np.float32))
  inputs = tf.constant(INPUTS, tf.float32)
  outputs = blockwise.product(inputs, kernel, dtype)
  loss = tf.reduce_sum(outputs * tf.constant(FACTORS, tf.float32))
  to_inputs, to_kernel = tf.gradients(loss, [inputs, kernel])
  assert to_kernel is None
  return kernel, outputs, to_inputs, blockwise.fill([(to_kernel, kernel)])


@pytest.mark.parametrize(('dtype', 'tolerance'), [(tf.float32, 1e-6), (tf.bfloat16, 0.02)])
def test_product_and_gradients_are_those_of_numpy(dtype, tolerance):
  with graph_session() as session:
    _, outputs, to_inputs, [(to_kernel, _)] = build(dtype)
    session.run(tf.global_variables_initializer())
    found = session.run([outputs, to_inputs, to_kernel])
  expected = [INPUTS @ MATRIX, FACTORS @ MATRIX.T, (INPUTS.T @ FACTORS).reshape(KERNEL.shape)]
  for values, oracle in zip(found, expected, strict=True):
    np.testing.assert_allclose(values, oracle, atol=tolerance * np.abs(oracle).max())


def updated(in_blocks, num_steps=2, **settings):
  """The kernel and the operations of its update after some steps of momentum with decay."""
  with graph_session() as session:
    kernel, _, _, [(gradient, _)] = build()
    if not in_blocks:
      gradient = tf.identity(gradient)  # any other tensor is applied as a whole
    config = OptimizerConfig(weight_decay=0.1, **settings)
    optimizer = optimizers.build_optimizer(config, tf.constant(0.3), [kernel])
    update = optimizer.apply_gradients([(gradient, kernel)])
    session.run(tf.global_variables_initializer())
    for _ in range(num_steps):
      session.run(update)
    graph = tf.get_default_graph().as_graph_def()
    functions = [node for function in graph.library.function for node in function.node_def]
    return session.run(kernel), [node.op for node in [*graph.node, *functions]]


def test_the_update_in_blocks_is_the_whole_one():
  whole, whole_kinds = updated(in_blocks=False)
  blocks, kinds = updated(in_blocks=True)
  # Equal with AVX-512. With AVX2, the multiplication of so few rows rounds in another way: measured
  # 9.5e-7 where the largest weight is 5.7.
  np.testing.assert_allclose(blocks, whole, rtol=0, atol=4e-7 * np.abs(whole).max())
  assert kinds.count('ResourceStridedSliceAssign') == 2  # weights and momentum, in a loop
  assert 'ResourceApplyMomentum' not in kinds
  assert 'ResourceStridedSliceAssign' not in whole_kinds
  # One step from momentum 0 is plain gradient descent with decay.
  gradient = (INPUTS.T @ FACTORS).reshape(KERNEL.shape)
  stepped, _ = updated(in_blocks=True, num_steps=1)
  np.testing.assert_allclose(stepped, KERNEL - 0.3 * (gradient + 0.1 * KERNEL), atol=1e-5)


def test_other_rules_apply_the_whole_gradient():
  for settings in ({'nesterov': True}, {'optimizer': 'adam'}):
    whole, _ = updated(in_blocks=False, **settings)
    same, kinds = updated(in_blocks=True, **settings)
    np.testing.assert_array_equal(same, whole)
    assert 'ResourceStridedSliceAssign' not in kinds


def test_sums_and_scaled_gradients_are_not_taken_for_the_product():
  with graph_session():
    _, _, _, [(gradient, kernel)] = build()
    assert blockwise.find(gradient).inputs.shape == [4, 24]
    assert blockwise.find(2 * gradient) is None
    ((other, _),) = blockwise.fill([(gradient, kernel)])
    assert other is gradient


def test_neither_gradient_nor_copies_of_the_variables_exist():
  with graph_session() as session:
    kernel = tf.get_variable('kernel', [1, 1, 4096, 512], initializer=tf.ones_initializer())
    outputs = blockwise.product(tf.ones([2, 4096]), kernel)
    found = blockwise.fill(zip(tf.gradients(outputs, [kernel]), [kernel], strict=True))
    optimizer = optimizers.build_optimizer(OptimizerConfig(), tf.constant(0.1), [kernel])
    update = optimizer.apply_gradients(found)
    session.run(tf.global_variables_initializer())
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    session.run(update)
    session.run(update, options=options, run_metadata=metadata)
  largest = max(
    memory.peak_bytes
    for device in metadata.step_stats.dev_stats
    for node in device.node_stats
    for memory in node.memory
  )
  assert largest < 4 * 4096 * 512 // 8  # of any operation, in the second step


def test_blocks_are_equal_parts_of_the_channels(monkeypatch):
  monkeypatch.setattr(block_sizes, 'BLOCK_BYTES', 8 * 2**20)
  assert block_sizes.rows([7, 7, 512, 4096]) == 512
  assert block_sizes.rows([1, 1, 4096, 4096]) == 512
  assert block_sizes.rows([7, 7, 500, 4096]) == 500
  assert block_sizes.rows([1, 1, 3, 2**22]) == 1
  assert block_sizes.columns([7, 7, 512, 4096]) == 256
