import dataclasses

import numpy as np
import pytest

from tests.testing import graph_session, make_data_set, random_values, thin_model, train_config
from vgg_slim.compat import tf
from vgg_slim.data import image_ops, records
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import CheckpointError, ConfigError, DataError
from vgg_slim.evaluation.runner import Evaluator
from vgg_slim.nets import registry


@pytest.fixture
def run(tmp_path, monkeypatch):
  """(config, data folder, manifest, checkpoint with random weights) of a thin network."""
  thin_model(monkeypatch, 'vgg_a')
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=8, num_classes=3)
  config = train_config(data_dir, manifest)
  with graph_session() as session:
    images = tf.zeros([1, 32, 32, 3])
    registry.build('vgg_a', images, 3, False, image_size=32, fc_units=16)
    tf.train.get_or_create_global_step()
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = {**random_values(shapes, scale=0.4), 'global_step': np.int64(7)}
    session.run([v.assign(values[v.op.name]) for v in tf.global_variables()])
    checkpoint = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  return config, data_dir, manifest, checkpoint


def evaluate(run, **kwargs):
  config, data_dir, manifest, checkpoint = run
  defaults = {'split': 'train', 'test_scales': [36, 70], 'flip': True, 'batch_size': 4}
  with Evaluator(config, data_dir, manifest, **{**defaults, **kwargs}) as evaluator:
    return evaluator.run(checkpoint)


def slow_truth(run, scales):
  """One picture, one view at a time: mean soft-max over scales and flips, in NumPy."""
  config, data_dir, manifest, checkpoint = run
  mean, scale = config.preprocessing.rgb_mean, config.preprocessing.pixel_scale
  hits, losses = [], []
  with graph_session() as session:
    serialized = tf.placeholder(tf.string, [])
    example = records.parse_example(serialized)
    decoded = image_ops.decode_rgb(example.encoded)
    resized = [image_ops.resize_smaller_side(decoded, side) for side in scales]
    images = tf.placeholder(tf.float32, [1, None, None, 3])
    outputs = registry.build('vgg_a', images, 3, False, image_size=32, fc_units=16)
    tf.train.Saver().restore(session, checkpoint)
    for path in manifests.shard_paths(data_dir, manifest, 'train'):
      for record in tf.io.tf_record_iterator(path):
        label, views = session.run([example.label, resized], {serialized: record})
        probabilities = []
        for view in views:
          for flipped in (view, view[:, ::-1]):
            scores = session.run(outputs.score_map, {images: [(flipped - mean) * scale]})
            exps = np.exp(scores[0].mean((0, 1)))
            probabilities.append(exps / exps.sum())
        average = np.mean(probabilities, 0)
        hits.append(np.argmax(average) == label)
        losses.append(-np.log(average[label]))
  return np.mean(hits), np.mean(losses)


def test_against_one_picture_at_a_time(run):
  result = evaluate(run)
  accuracy, loss = slow_truth(run, (36, 70))
  assert result.num_images == 18
  assert result.top_1_error == pytest.approx(1 - accuracy)
  # Batches of other sizes sum in another order: float32 through nine layers.
  assert result.loss == pytest.approx(loss, rel=1e-4)
  assert result.top_5_error == 0
  assert (result.step, result.test_scales, result.flip) == (7, (36, 70), True)


@pytest.mark.parametrize('batch_size', [1, 5, 64])
def test_batch_size_changes_nothing(run, batch_size):
  result = evaluate(run, batch_size=batch_size)
  expected = evaluate(run)
  assert result.top_1_error == expected.top_1_error
  assert result.loss == pytest.approx(expected.loss, rel=1e-4)


def test_central_crops(run):
  assert evaluate(run, test_scales=[36], crop_size=32).num_images == 18


def test_progress_reaches_all_views(run):
  config, data_dir, manifest, checkpoint = run
  seen = []
  with Evaluator(config, data_dir, manifest, 'train', [32, 36], False, 5) as evaluator:
    evaluator.run(checkpoint, lambda done, total: seen.append((done, total)))
  assert seen == [(done, 36) for done in (5, 10, 15, 18, 23, 28, 33, 36)]


def test_a_checkpoint_of_another_network_is_refused(run):
  config, data_dir, manifest, checkpoint = run
  wide = dataclasses.replace(config, net=dataclasses.replace(config.net, fc_units=17))
  with (
    Evaluator(wide, data_dir, manifest, 'train', [32], False, 4) as evaluator,
    pytest.raises(CheckpointError, match='is of another network: .*fc6'),
  ):
    evaluator.run(checkpoint)


def test_other_classes_are_refused(run):
  config, data_dir, manifest, _ = run
  other = dataclasses.replace(config, class_names=('x', 'y', 'z'))
  with pytest.raises(DataError, match='has 3 classes .*trained on 3 .x, y, z'):
    Evaluator(other, data_dir, manifest, 'train', [32], False, 4)


def test_a_scale_below_the_training_side_is_refused(run):
  config, data_dir, manifest, _ = run
  with pytest.raises(ConfigError, match='at least image_size=32 pixels'):
    Evaluator(config, data_dir, manifest, 'train', [36, 16], False, 4)


def test_a_manifest_that_counts_wrong_is_noticed(run):
  config, data_dir, manifest, checkpoint = run
  split = dataclasses.replace(manifest.splits['train'], num_examples=19)
  manifest = dataclasses.replace(manifest, splits={**manifest.splits, 'train': split})
  with (
    Evaluator(config, data_dir, manifest, 'train', [32], False, 4) as evaluator,
    pytest.raises(DataError, match='picture 18 came 0 times'),
  ):
    evaluator.run(checkpoint)
