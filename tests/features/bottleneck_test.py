import dataclasses

import numpy as np
import pytest

from tests.data import fabricated
from tests.testing import graph_session, make_contract, make_data_set, random_values, replace
from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.evaluation import precision_proof
from vgg_slim.features import bottleneck, cache
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import host
from vgg_slim.preprocessing.description import Preprocessing

CONTRACT = make_contract(
  *('vgg_a@4', 3, 32, 8), rgb_mean=(90.0, 100.0, 110.0), pixel_scale=1 / 50, test_scale=36
)


def save_random(prefix, contract):
  """Saves the network of a contract with random weights; returns the prefix."""
  with graph_session() as session:
    side = contract.network.image_size
    registry.build(
      contract.network.model, tf.zeros([1, side, side, 3]), 3, Inference(), side, fc_units=8
    )
    variables = tf.global_variables()
    values = random_values({v.op.name: v.shape.as_list() for v in variables}, scale=0.13)
    session.run([v.assign(values[v.op.name]) for v in variables])
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  return prefix


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """(checkpoint, data folder, manifest): 16 training and 2 validation images of 40 px."""
  folder = tmp_path_factory.mktemp('bottleneck')
  data_dir, manifest = make_data_set(folder / 'data', 6, 3, side=40, validation_fraction=0.12)
  return save_random(str(folder / 'model'), CONTRACT), data_dir, manifest


def extract(run, path, key, split='train', **kwargs):
  checkpoint, data_dir, manifest = run
  seen = []
  bottleneck.run_extraction(
    key, checkpoint, data_dir, manifest, split, path, 5, lambda *counts: seen.append(counts)
  )
  return cache.read_features(path), seen


def one_by_one(run, key):
  """(features, label, name) of the central crop of each image, in the order of the records."""
  checkpoint, data_dir, manifest = run
  rows = []
  with graph_session() as session:
    serialized = tf.placeholder(tf.string, [])
    example = records.parse_example(serialized)
    side, rules = key.trunk.image_size, key.preprocessing
    images = tf.placeholder(tf.float32, [1, side, side, 3])
    layer = registry.build(key.trunk.model, images, None, Inference()).end_points[key.layer]
    tf.train.Saver().restore(session, checkpoint)
    for path in manifests.shard_paths(data_dir, manifest, 'train'):
      for record in tf.io.tf_record_iterator(path):
        encoded, *rest = session.run(
          [example.encoded, example.label, example.filename], {serialized: record}
        )
        image = host.crop_middle(host.prepare(encoded, rules), side)
        image = host.network_input(image, rules)
        rows.append((session.run(layer, {images: [image]})[0], *rest))
  return rows


def test_features_labels_and_names_are_in_the_order_of_the_records(run, tmp_path):
  key = bottleneck.make_key(run[0], CONTRACT, run[2], 'conv4_2', 48, 52)
  assert key.layer == 'conv4/conv4_2'
  got, seen = extract(run, tmp_path / 'x.npz', key)
  expected = one_by_one(run, key)
  assert got.features.shape[1:] == (6, 6, 32)
  # Other batch sizes sum float32 values in another order, through eight layers.
  np.testing.assert_allclose(got.features, [row[0] for row in expected], rtol=1e-4, atol=1e-5)
  assert got.labels.tolist() == [row[1] for row in expected]
  assert got.names.tolist() == [row[2].decode() for row in expected]
  n = len(expected)
  assert seen == [(5, n), (10, n), (15, n)]


def test_features_in_bfloat16_have_rounded_weights(run, tmp_path):
  key = bottleneck.make_key(run[0], CONTRACT, run[2], 'conv4_2', 48, 52)
  exact, _ = extract(run, tmp_path / 'x.npz', key)
  fast_key = dataclasses.replace(key, precision='bfloat16')
  fast, _ = extract(run, tmp_path / 'y.npz', fast_key)
  rounded = str(tmp_path / 'rounded')
  bfloat16 = tf.bfloat16.as_numpy_dtype
  with graph_session() as session:
    for name, _ in tf.train.list_variables(run[0]):
      value = tf.train.load_variable(run[0], name)
      value = value.astype(bfloat16).astype(np.float32) if 'weights' in name else value
      tf.get_variable(name, initializer=value)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, rounded, write_meta_graph=False)
  expected, _ = extract((rounded, *run[1:]), tmp_path / 'z.npz', key)
  scale = np.abs(expected.features).max()
  assert np.abs(exact.features - expected.features).max() > 1e-3 * scale
  # Only the weights are rounded where there are no instructions; else each layer adds 2**-9.
  computed = sessions.computed_precision('bfloat16')
  tolerance = 1e-5 if computed == 'float32' else 0.03
  np.testing.assert_allclose(fast.features, expected.features, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(('fast', 'enough'), [('float32', 1), ('bfloat16', 16), ('bfloat16', 15)])
def test_bfloat16_is_proven_on_the_first_images(run, monkeypatch, fast, enough):
  monkeypatch.setattr(sessions, 'fast_precision', lambda: fast)
  monkeypatch.setattr(precision_proof, 'MIN_INPUTS', enough)
  monkeypatch.setattr(precision_proof, 'NUM_INPUTS', 7)
  key = bottleneck.make_key(run[0], CONTRACT, run[2])
  proof = bottleneck.prove_precision(key, *run, 'train', batch_size=4)
  if (fast, enough) != ('bfloat16', 15):  # images of the training split
    assert proof is None
    return
  assert proof.holds
  assert proof.precision == 'bfloat16'
  assert proof.compared == 'features of 7 images'
  # Ten layers whose weights are rounded by up to 2**-9.
  assert 1e-4 < proof.largest < 0.03


def test_float16_is_refused_without_a_gpu(run):
  with pytest.raises(ConfigError, match='precision=float16 needs a GPU'):
    bottleneck.make_key(run[0], CONTRACT, run[2], precision='float16')


def test_features_of_squeezed_and_standardized_images(run, tmp_path):
  photos = fabricated.write_image_folder(tmp_path / 'x', {'a': 2, 'b': 2})  # 5 x 7 pixels
  source = catalog.open_source('folder', photos)
  manifest = converter.convert(source, tmp_path / 'y', converter.Options(SplitRule(0.0)))
  rules = Preprocessing(
    (0.0,) * 3, 1.0, 36, keep_aspect_ratio=False, per_image_standardization=True
  )
  contract = dataclasses.replace(CONTRACT, preprocessing=rules)
  run = (run[0], str(tmp_path / 'y'), manifest)
  key = bottleneck.make_key(run[0], contract, manifest, 'conv4_2', 32, 36)
  got, _ = extract(run, tmp_path / 'x.npz', key)
  # Float32 sums in another order, of pixels that were resized by TensorFlow and by NumPy.
  expected = [row[0] for row in one_by_one(run, key)]
  np.testing.assert_allclose(got.features, expected, rtol=1e-3, atol=1e-4)
  assert np.ptp(expected) > 1e-2


def test_further_passes_are_augmented_and_cover_only_the_training_split(run, tmp_path):
  key = bottleneck.make_key(run[0], CONTRACT, run[2], test_scale=40, passes=3, seed=1)
  got, _ = extract(run, tmp_path / 'x.npz', key)
  plain, _ = extract(run, tmp_path / 'y.npz', dataclasses.replace(key, passes=1))
  n = len(plain.labels)
  assert got.labels.tolist() == 3 * plain.labels.tolist()
  assert got.names.tolist() == 3 * plain.names.tolist()
  assert np.array_equal(got.features[:n], plain.features)
  first, second = got.features[n : 2 * n], got.features[2 * n :]
  assert not np.array_equal(first, plain.features)
  assert not np.array_equal(first, second)
  assert np.array_equal(extract(run, tmp_path / 'z.npz', key)[0].features, got.features)
  validation, _ = extract(run, tmp_path / 'v.npz', key, 'validation')
  assert len(validation.labels) == run[2].split('validation').num_examples


def test_the_key_changes_with_the_weights(run, tmp_path):
  other = save_random(str(tmp_path / 'other'), replace(CONTRACT, image_size=64))
  keys = [bottleneck.make_key(path, CONTRACT, run[2]) for path in (run[0], run[0], other)]
  assert keys[0] == keys[1]
  assert keys[0].weights_sha256 != keys[2].weights_sha256
  assert (keys[0].layer, keys[0].trunk.image_size, keys[0].preprocessing.test_scale) == (
    'pool5',
    32,
    36,
  )


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'layer': 'fc6'}, "no layer 'fc6' below its head"),
    ({'image_size': 20}, 'image_size=20 is too small'),
    ({'image_size': 48, 'test_scale': 40}, 'test_scale=40 is smaller than image_size=48'),
  ],
)
def test_invalid_layers_and_sides_are_refused(run, settings, message):
  with pytest.raises(ConfigError, match=message):
    bottleneck.make_key(run[0], CONTRACT, run[2], **settings)


def test_a_checkpoint_of_another_network_writes_no_file(run, tmp_path):
  contract = replace(CONTRACT, model='vgg_b@4')
  key = bottleneck.make_key(run[0], contract, run[2])
  with pytest.raises(CheckpointError, match='does not fit the network'):
    extract(run, tmp_path / 'x.npz', key)
  assert not list(tmp_path.iterdir())
