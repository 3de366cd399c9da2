import dataclasses
import functools
import math
import shutil

import numpy as np
import PIL.Image
import pytest

from tests.evaluation import numpy_vgg
from tests.testing import assign, graph_session, random_values, train_config
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.data.conversion import converter, splitting
from vgg_slim.data.sources import catalog
from vgg_slim.errors import CheckpointError, ConfigError, DataError, NonFiniteError
from vgg_slim.evaluation import results, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.runner import Evaluator
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import png_files

MODEL, SIDE, SCALES = 'vgg_c@4', 64, (64, 75)
SHAPES = [(70, 101), (90, 66), (70, 101)]  # images of one shape share a batch


@dataclasses.dataclass
class Run:
  config: object
  data_dir: str
  manifest: object
  checkpoint: str
  values: dict
  pixels: list  # of each image of the training split, in its order

  def evaluate(self, **request):
    with self.evaluator(**request) as evaluator:
      return evaluator.score(self.checkpoint)

  def evaluator(self, manifest=None, config=None, **request):
    request = EvalConfig(**{'test_scales': SCALES, 'split': 'train', 'batch_size': 3, **request})
    return Evaluator(config or self.config, self.data_dir, manifest or self.manifest, request)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A thin network with random weights, and images of several shapes in three classes."""
  folder = tmp_path_factory.mktemp('run')
  rng = np.random.default_rng(1)
  images = []
  for i, shape in enumerate(SHAPES * 2):
    small = PIL.Image.fromarray(rng.integers(0, 256, [9, 12, 3], np.uint8))
    pixels = np.asarray(small.resize(shape[::-1], PIL.Image.Resampling.BICUBIC))
    read = functools.partial(png_files.encode, pixels)
    images.append(catalog.LabeledImage(f'{i}', i % 3, read))
  source = catalog.Source('folder', ('a', 'b', 'c'), {'train': images}, mirror_safe=True)
  rule = splitting.SplitRule(fraction=0)
  manifest = converter.convert(source, folder / 'data', converter.Options(rule))
  order = splitting.plan_splits(source, rule)['train'].order
  config = train_config(str(folder / 'data'), manifest)
  net = dataclasses.replace(config.net, model=MODEL, image_size=SIDE)
  config = dataclasses.replace(
    config,
    net=net,
    preprocessing=dataclasses.replace(config.preprocessing, train_scale_min=64, train_scale_max=72),
  )
  checkpoint, values = save_random_weights(config, folder / 'model.ckpt')
  pixels = [numpy_vgg.decode(images[i].read()) for i in order]
  return Run(config, str(folder / 'data'), manifest, checkpoint, values, pixels)


def save_random_weights(config, prefix, seed=0, **factors):
  with graph_session() as session:
    registry.build_from_config(config.net, tf.zeros([1, SIDE, SIDE, 3]), Inference())
    tf.train.get_or_create_global_step()
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    # He et al. initialization keeps the scores of different images and classes apart.
    values = {
      name: value * np.float32(np.sqrt(2 / np.prod(value.shape[:-1])) if value.ndim > 1 else 0.1)
      for name, value in random_values(shapes, seed, scale=1.1).items()
    }
    for layer, factor in factors.items():
      values = {n: v * np.float32(factor) if layer in n else v for n, v in values.items()}
    values['global_step'] = np.int64(7)
    assign(session, values)
    return tf.train.Saver().save(session, str(prefix)), values


def numpy_scores(run, view, scale, average, rounding=math.floor):
  """Scores as in section 3.2 of the paper, one image at a time: [N, K]."""
  preprocessing = run.config.preprocessing
  rows = []
  for pixels in run.pixels:
    resized = numpy_vgg.resize_smaller_side(pixels, scale)
    image = (resized - preprocessing.rgb_mean) * preprocessing.pixel_scale
    logits = numpy_vgg.logits_of_views(image, run.values, 'vgg_c', SIDE, view, rounding)
    rows.append(average(logits).mean(axis=0))
  return np.array(rows)


@pytest.mark.parametrize('view', views.VIEWS)
def test_every_view_matches_numpy(run, view):
  scored = run.evaluate(views=(view,))
  assert list(scored.passes) == [(view, scale) for scale in SCALES]
  for scale in SCALES:
    expected = numpy_scores(run, view, scale, numpy_vgg.softmax)
    assert np.ptp(expected, axis=0).max() > 0.1  # scores differ between images
    # float32 through 16 layers against float64.
    np.testing.assert_allclose(scored.passes[view, scale].scores, expected, rtol=0, atol=2e-6)


def test_pools_that_round_up_match_numpy(run):
  scored = run.evaluate(pool_rounding='ceil')
  for scale in SCALES:
    expected = numpy_scores(run, 'dense', scale, numpy_vgg.softmax, math.ceil)
    floored = numpy_scores(run, 'dense', scale, numpy_vgg.softmax)
    assert np.abs(expected - floored).max() > 1e-3  # the border matters
    np.testing.assert_allclose(scored.passes['dense', scale].scores, expected, rtol=0, atol=2e-6)


def test_averaged_logits_match_numpy(run):
  scored = run.evaluate(average='logits')
  expected = [numpy_scores(run, 'dense', scale, lambda logits: logits) for scale in SCALES]
  line = results.combine([scored], 'dense')
  probabilities = numpy_vgg.softmax(np.mean(expected, axis=0))
  np.testing.assert_allclose(line.probabilities(), probabilities, rtol=0, atol=2e-6)


def test_views_and_scales_share_the_variables(run):
  with run.evaluator(views=('dense', 'dense+ten_crop')) as evaluator:
    names = [v.op.name for v in evaluator._variables]
    scored = evaluator.score(run.checkpoint)
  assert sorted([*names, 'global_step']) == sorted(run.values)
  assert set(scored.passes) == {(v, s) for v in ('dense', 'ten_crop') for s in SCALES}
  assert (scored.model, scored.train_scale, scored.step) == (MODEL, '[64;72]', 7)


def test_moving_averages_replace_the_variables(run, tmp_path):
  with graph_session() as session:
    for name, value in run.values.items():
      stored = name if name == 'global_step' else f'{name}{search.AVERAGE_SUFFIX}'
      tf.get_variable(stored, initializer=value)
      if stored != name:
        tf.get_variable(name, initializer=np.zeros_like(value))
    session.run(tf.global_variables_initializer())
    checkpoint = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  for use_averages, expected in ((True, run.evaluate().passes['dense', 64].scores), (False, 1 / 3)):
    with run.evaluator(use_averages=use_averages) as evaluator:
      scores = evaluator.score(checkpoint).passes['dense', 64].scores
    np.testing.assert_allclose(scores, np.broadcast_to(expected, scores.shape), rtol=1e-6)


@pytest.mark.parametrize('batch_size', [1, 64])
def test_batch_size_changes_nothing(run, batch_size):
  one = run.evaluate(views=('dense', 'ten_crop'), batch_size=batch_size)
  other = run.evaluate(views=('dense', 'ten_crop'))
  for key, scored in one.passes.items():
    # float32 sums in another order.
    np.testing.assert_allclose(scored.scores, other.passes[key].scores, rtol=0, atol=2e-6)


def test_progress_counts_the_crops_of_all_views(run):
  seen = []
  with run.evaluator(views=('center', 'ten_crop'), flip=False) as evaluator:
    scored = evaluator.score(run.checkpoint, lambda *counts: seen.append(counts))
  assert seen[0] == (3, 6 * 2 * 6)
  assert seen[-1] == (6 * 2 * 6, 6 * 2 * 6)
  assert [done for done, _ in seen] == sorted({done for done, _ in seen})
  result = results.combine([scored], 'center').result
  assert (result.view, result.num_images, result.num_views) == ('center', 6, 2)


def test_a_checkpoint_of_another_network_is_refused(run):
  wide = dataclasses.replace(run.config, net=dataclasses.replace(run.config.net, fc_units=17))
  with (
    run.evaluator(config=wide) as evaluator,
    pytest.raises(CheckpointError, match='does not fit the network: .*fc6'),
  ):
    evaluator.score(run.checkpoint)


def test_classes_that_the_network_lacks_are_refused(run):
  other = dataclasses.replace(run.config, class_names=('x', 'b', 'z'))
  with pytest.raises(DataError, match=r'has 3 classes.* not trained on 2 of them: a, c\.'):
    run.evaluator(config=other)


def test_labels_are_mapped_to_those_of_the_network(run):
  expected = run.evaluate()
  other = dataclasses.replace(run.config, class_names=('c', 'a', 'b'))
  with run.evaluator(config=other) as evaluator:
    scored = evaluator.score(run.checkpoint)
  assert scored.labels.tolist() == [(label + 1) % 3 for label in expected.labels]
  np.testing.assert_array_equal(
    scored.passes['dense', 64].scores, expected.passes['dense', 64].scores
  )


def test_an_image_whose_scores_are_not_finite_is_named(run, tmp_path):
  checkpoint, _ = save_random_weights(run.config, tmp_path / 'model.ckpt', fc8=np.nan)
  with (
    run.evaluator(views=('center',)) as evaluator,
    # The name in the records, not the index in the split.
    pytest.raises(NonFiniteError, match='not finite for image [0-5] and'),
  ):
    evaluator.score(checkpoint)


def test_a_damaged_record_is_named(run, tmp_path):
  data_dir = shutil.copytree(run.data_dir, tmp_path / 'data')
  path = data_dir / run.manifest.split('train').shards[0].file
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  with pytest.raises(DataError, match=f'{path.name}: record 3 .* is damaged, its checksum'):
    dataclasses.replace(run, data_dir=str(data_dir)).evaluate(views=('center',))


def test_a_scale_below_the_image_size_is_refused(run):
  with pytest.raises(ConfigError, match='at least image_size=64 and at most'):
    run.evaluator(test_scales=(64, 32))


def test_a_manifest_with_a_wrong_count_is_detected(run):
  split = dataclasses.replace(run.manifest.splits['train'], num_examples=7)
  manifest = dataclasses.replace(run.manifest, splits={'train': split})
  with (
    run.evaluator(manifest=manifest) as evaluator,
    pytest.raises(DataError, match='image 6 was scored 0 times'),
  ):
    evaluator.score(run.checkpoint)
