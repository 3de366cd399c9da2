"""A checkpoint of a thin network whose outputs depend visibly on the image."""

import numpy as np

from tests.testing import assign, graph_session, make_contract, random_values, replace
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import contract_path, write_contract
from vgg_slim.compat import tf

# Q differs from the side of the crop, so that a confusion of the two shows.
CONTRACT = make_contract(
  *('vgg_a@4', 3, 32, 8),
  rgb_mean=(120.0, 110.0, 100.0),
  pixel_scale=0.5,
  class_names=('a', 'b', 'c'),
  test_scale=36,
)


def make_checkpoint(folder, **changes):
  """Writes a checkpoint and its contract; returns (prefix, contract)."""
  contract = replace(CONTRACT, **changes)
  with graph_session() as session:
    side = max(64, contract.network.image_size)
    restore.build_network(contract, tf.zeros([1, side, side, 3]))
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = random_values(shapes, scale=0.3)
    assign(session, {n: abs(v) if 'variance' in n else v for n, v in values.items()})
    prefix = tf.train.Saver().save(session, str(folder / 'm'), write_meta_graph=False)
  write_contract(contract_path(prefix), contract)
  return prefix, contract


def random_images(*shape, seed=0):
  """Returns random images, uint8 [*shape, 3]."""
  return np.random.default_rng(seed).integers(0, 256, [*shape, 3]).astype(np.uint8)


def expected_outputs(prefix, contract, images):
  """Returns the checkpoint's outputs for images that are normalized by NumPy."""
  with graph_session() as session:
    rules = contract.preprocessing
    normalized = (images - np.float32(rules.rgb_mean)) * np.float32(rules.pixel_scale)
    network = restore.build_network(contract, tf.constant(normalized, tf.float32))
    restore.restore(session, prefix)
    score_map = session.run(network.score_map)
  logits = score_map.mean((1, 2))
  exponents = np.exp(logits - logits.max(1, keepdims=True))
  return {
    'class_score_map': score_map,
    'logits': logits,
    'probabilities': exponents / exponents.sum(1, keepdims=True),
    'classes': logits.argmax(1),
  }


def check_outputs(got, expected, rtol=1e-5):
  assert set(got) == set(expected)
  for name, array in expected.items():
    assert got[name].shape == array.shape
    # Relative to the largest value: nine layers of float32 sums in a different order.
    scale = np.abs(array).max()
    np.testing.assert_allclose(got[name], array, rtol=0, atol=rtol * scale, err_msg=name)
