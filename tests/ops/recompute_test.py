"""Compares networks that compute stages again with the same networks that keep everything."""

import functools

import numpy as np
import pytest

from tests.testing import graph_session, thin
from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Training
from vgg_slim.ops.recompute import recompute

ALL = (1,) * 17
VGG = specs.VGG['vgg_d']


def step(spec, side, count, stage_parts, scopes=()):
  """Returns loss, gradients by name, updates of statistics, operations, number of blocks."""
  with graph_session() as session:
    pixels = np.random.default_rng(0).normal(size=[count, side, side, 3]).astype(np.float32)
    images = tf.get_local_variable('images', initializer=50 * pixels).read_value()
    mode = Training(
      dropout_seed=tf.constant([1, 2]),
      trainable_scopes=scopes,
      fast_cpu_conv=True,
      stage_parts=stage_parts,
    )
    outputs = registry.build(spec, images, 10, mode, image_size=side)
    loss = tf.reduce_mean(
      tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.range(count) % 10, logits=outputs.logits
      )
    )
    variables = [v for v in tf.trainable_variables() if not scopes or v.op.name.startswith(scopes)]
    gradients = tf.gradients(loss, variables, gate_gradients=True)
    pairs = zip(variables, gradients, strict=True)
    named = {variable.op.name: gradient for variable, gradient in pairs if gradient is not None}
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    loss, values = session.run([loss, named])
    session.run(updates)
    session.run(updates)
    statistics = [v for v in tf.global_variables() if 'moving' in v.op.name]
    operations = tf.get_default_graph().get_operations()
    names = [op.name for op in operations]
    gradient_types = [op.node_def.attr['_gradient_op_type'].s for op in operations]
    num_blocks = gradient_types.count(b'VggSlimRecomputed')
    return loss, values, [len(updates), *session.run(statistics)], names, num_blocks


@pytest.mark.parametrize(
  ('spec', 'side', 'count', 'tolerance'),
  [
    (VGG, 32, 2, 0),  # all channels: taps and, on maps of 32 pixels, Winograd's algorithm
    (thin(specs.VGG['vgg_cifar']), 32, 8, 0),  # batch norm and dropout between convolutions
    # oneDNN merges the last sums with other operations there, on processors with AVX-512: measured
    # 4.3e-5 of the largest gradient, and no difference with AVX2.
    (thin(specs.get('resnet50')), 64, 4, 2e-4),
  ],
)
def test_gradients_and_statistics_are_equal(spec, side, count, tolerance):
  kept, again = step(spec, side, count, ()), step(spec, side, count, ALL)
  assert any('recomputed' in name for name in again[3])
  assert again[0] == pytest.approx(kept[0], rel=tolerance, abs=0)
  assert kept[1].keys() == again[1].keys()
  for name, gradient in kept[1].items():
    largest = np.abs(gradient).max()
    np.testing.assert_allclose(again[1][name], gradient, 0, tolerance * largest, err_msg=name)
  assert again[2][0] == kept[2][0]
  for got, expected in zip(again[2][1:], kept[2][1:], strict=True):
    np.testing.assert_allclose(got, expected, tolerance)


@pytest.mark.parametrize(
  ('stage_parts', 'blocks'), [((8, 4, 2, 1), 4), ((4, 4, 4), 1), ((2, 4, 4, 1, 1), 4)]
)
def test_parts_of_a_batch_change_only_the_order_of_sums(stage_parts, blocks):
  kept = step(thin(VGG, 16), 32, 8, ())
  again = step(thin(VGG, 16), 32, 8, stage_parts)
  # Neighbors in the same number of parts are one block, between whose stages no whole map exists.
  assert again[4] == blocks
  assert again[0] == pytest.approx(kept[0], rel=1e-6)
  for name, gradient in kept[1].items():
    # Sums of float32 in another order; Winograd's own error is 1e-5 of the largest value.
    np.testing.assert_allclose(again[1][name], gradient, atol=3e-5 * np.abs(gradient).max())


def test_only_stages_with_gradients_are_computed_again():
  scopes = ('vgg_16/conv3', 'vgg_16/fc8')
  kept, again = (step(thin(VGG), 32, 2, parts, scopes) for parts in ((), ALL))
  for name, gradient in kept[1].items():
    np.testing.assert_array_equal(again[1][name], gradient, name)
  names = [name for name in again[3] if 'recomputed' in name]
  stages = {stage for stage in range(1, 6) if any(f'conv{stage}_1' in name for name in names)}
  assert stages == {3, 4, 5}
  # The gradients of the images, and of kernels that are not trained, are not even built.
  assert not any('conv1_1' in name for name in names)


def chain(images, length=24):
  layers = {}
  for index in range(length):
    with tf.variable_scope(f'layer{index}'):
      kernel = tf.get_variable('weights', [1, 1, 16, 16])  # which needs no workspace
      images = layers[str(index)] = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, 'SAME'))
  return images, layers


def peak_bytes(build_fn):
  """Peak of all tensors of a forward and backward pass, as TensorFlow's allocator records them."""
  with graph_session() as session:
    images = tf.random_normal([8, 64, 64, 16])
    loss = tf.nn.l2_loss(build_fn(images))
    gradients = tf.gradients(loss, tf.trainable_variables(), gate_gradients=True)
    session.run(tf.global_variables_initializer())
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    session.run([gradient.op for gradient in gradients], options=options, run_metadata=metadata)
  changes = sorted(
    (record.alloc_micros, record.alloc_bytes)
    for device in metadata.step_stats.dev_stats
    for node in device.node_stats
    for memory in node.memory
    for record in memory.allocation_records
  )
  return max(np.cumsum([size for _, size in changes]))


def test_a_block_keeps_its_input_alone_and_processes_a_part_at_a_time():
  kept = peak_bytes(lambda images: chain(images)[0])
  halves = peak_bytes(two_blocks)  # the inputs of two blocks, and the layers of one of them
  parts = peak_bytes(lambda images: recompute(chain, images, parts=8, needs_gradient=False)[0])
  assert halves < 0.7 * kept
  assert parts < 0.4 * kept


def two_blocks(images):
  for name in ('first', 'second'):
    with tf.variable_scope(name):
      build = functools.partial(chain, length=12)
      images, _ = recompute(build, images, needs_gradient=name == 'second')
  return images


def test_outputs_of_layers_are_those_of_the_whole_batch():
  with graph_session() as session:
    images = tf.constant(np.random.default_rng(0).normal(size=[4, 8, 8, 16]).astype(np.float32))
    _, kept = chain(images)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      _, again = recompute(chain, images, parts=2)
    session.run(tf.global_variables_initializer())
    kept, again = session.run([kept, again])
  for name, values in kept.items():
    np.testing.assert_allclose(again[name], values, rtol=1e-5, atol=1e-6)


def test_it_is_differentiated_in_bfloat16():
  from vgg_slim.configs.runtime import RuntimeConfig

  with tf.Graph().as_default():
    images = tf.random_normal([2, 8, 8, 16], seed=1)
    outputs, _ = recompute(chain, images)
    gradients = tf.gradients(tf.nn.l2_loss(outputs), tf.trainable_variables())
    with sessions.open_session(runtime=RuntimeConfig(precision='bfloat16')) as session:
      session.run(tf.global_variables_initializer())
      assert all(np.isfinite(gradient).all() for gradient in session.run(gradients))
