import dataclasses
import functools
import math
import shutil

import numpy as np
import PIL.Image
import pytest

from tests.evaluation import numpy_vgg
from tests.testing import assign, graph_session, random_values, train_config
from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.data.conversion import converter, splitting
from vgg_slim.data.sources import catalog
from vgg_slim.errors import CheckpointError, ConfigError, DataError, NonFiniteError
from vgg_slim.evaluation import precision_proof, results, views
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
    # With `auto`, the processor decides.
    defaults = {'test_scales': SCALES, 'split': 'train', 'batch_size': 3, 'precision': 'float32'}
    request = EvalConfig(**{**defaults, **request})
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


def save_changed(run, prefix, change):
  """Saves the weights of the run after `change`, a function of the dict of arrays."""
  values = {name: np.copy(value) for name, value in run.values.items()}
  change(values)
  with graph_session() as session:
    for name, value in values.items():
      tf.get_variable(name, initializer=value)
    session.run(tf.global_variables_initializer())
    return tf.train.Saver().save(session, str(prefix))


def nearly_equal_classes(values):
  """Class 1 is always more probable than class 0, by less than bfloat16 can tell.

  The logits are s, (1 + 2**-10) s and -s of the sum s of fc7, which is at least 0; bfloat16 has
  eight bits, so that the first two columns of weights are equal in it.
  """
  shape = values['vgg_c/fc8/weights'].shape
  columns = np.array([1, 1 + 2**-10, -1], np.float32)
  values['vgg_c/fc8/weights'] = np.broadcast_to(columns, shape)
  values['vgg_c/fc8/biases'] = np.zeros(3, np.float32)


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


def test_bfloat16_rounds_the_weights(run):
  """The oracle has rounded weights, and float64 for all else."""
  bfloat16 = tf.bfloat16.as_numpy_dtype
  rounded = {
    name: value.astype(bfloat16).astype(np.float32) if 'weights' in name else value
    for name, value in run.values.items()
  }
  run_of_rounded = dataclasses.replace(run, values=rounded)
  for view in ('dense', 'ten_crop'):
    scored = run.evaluate(views=(view,), precision='bfloat16')
    assert scored.precision == 'bfloat16'
    expected = numpy_scores(run_of_rounded, view, 64, numpy_vgg.softmax)
    assert np.abs(expected - numpy_scores(run, view, 64, numpy_vgg.softmax)).max() > 1e-4
    # As in float32 where TensorFlow rounds nothing else, for lack of instructions; otherwise each
    # of 16 layers also rounds its input and output by up to 2**-9.
    computed = sessions.computed_precision('bfloat16')
    tolerance = 2e-6 if computed == 'float32' else 0.05
    np.testing.assert_allclose(scored.passes[view, 64].scores, expected, rtol=0, atol=tolerance)


@pytest.fixture
def fast_bfloat16(monkeypatch):
  """A processor with bfloat16 instructions, and proofs for any number of images."""
  monkeypatch.setattr(sessions, 'fast_precision', lambda: 'bfloat16')
  monkeypatch.setattr(precision_proof, 'MIN_INPUTS', 1)


def test_auto_is_float32_without_instructions(run, monkeypatch):
  monkeypatch.setattr(precision_proof, 'MIN_INPUTS', 1)
  monkeypatch.setattr(sessions, 'fast_precision', lambda: 'float32')
  scored = run.evaluate(precision='auto')
  assert (scored.precision, scored.proof) == ('float32', None)
  assert results.combine([scored], 'dense').result.precision == 'float32'


def test_auto_is_float32_for_few_images(run, monkeypatch):
  monkeypatch.setattr(sessions, 'fast_precision', lambda: 'bfloat16')
  crops = 6 * len(SCALES)
  monkeypatch.setattr(precision_proof, 'MIN_INPUTS', crops + 1)
  assert run.evaluate(precision='auto').proof is None
  assert run.evaluate(views=('ten_crop',), precision='auto').proof is not None


@pytest.mark.parametrize(
  ('views', 'average'), [(('dense', 'ten_crop'), 'logits'), (('center',), 'probabilities')]
)
def test_auto_is_bfloat16_once_it_is_proven(run, fast_bfloat16, tmp_path, views, average):
  def apart(values):  # the classes differ by more than any rounding
    values['vgg_c/fc8/biases'] += np.array([0, 3, 0], np.float32)

  checkpoint = save_changed(run, tmp_path / 'model.ckpt', apart)
  with run.evaluator(views=views, average=average, precision='auto') as evaluator:
    scored = evaluator.score(checkpoint)
  with run.evaluator(views=views, average=average, precision='bfloat16') as evaluator:
    expected = evaluator.score(checkpoint)
  assert scored.precision == 'bfloat16'
  inputs = sum(6 * (5 if view == 'ten_crop' else 1) for view in views)
  assert scored.proof.describe().startswith(f'bfloat16: 0 of {inputs} top-1 answers change, ')
  assert 0 < scored.proof.largest < 0.05
  for key in expected.passes:
    np.testing.assert_array_equal(scored.passes[key].scores, expected.passes[key].scores)


def test_auto_stays_in_float32_where_answers_change(run, fast_bfloat16, tmp_path):
  checkpoint = save_changed(run, tmp_path / 'model.ckpt', nearly_equal_classes)
  with run.evaluator(precision='float32') as evaluator:
    expected = evaluator.score(checkpoint)
  assert results.combine([expected], 'dense').predicted.tolist() == [1] * 6
  with run.evaluator(precision='auto') as evaluator:
    scored = evaluator.score(checkpoint)
    assert scored.precision == 'float32'
    text = scored.proof.describe()
    assert text.startswith('bfloat16: 6 of 6 top-1 answers change, ')
    assert text.endswith('; computed in float32')
    for key in expected.passes:
      np.testing.assert_array_equal(scored.passes[key].scores, expected.passes[key].scores)
    # Each checkpoint has a proof of its own.
    one_class = save_changed(run, tmp_path / 'other.ckpt', lambda v: v['vgg_c/fc8/biases'].fill(0))
    assert evaluator.score(one_class).proof.largest != scored.proof.largest


def test_float16_is_refused_without_a_gpu(run):
  with pytest.raises(ConfigError, match='precision=float16 needs a GPU, and this process has none'):
    run.evaluator(precision='float16')


def test_averaged_logits_match_numpy(run):
  scored = run.evaluate(average='logits')
  expected = [numpy_scores(run, 'dense', scale, lambda logits: logits) for scale in SCALES]
  line = results.combine([scored], 'dense')
  probabilities = numpy_vgg.softmax(np.mean(expected, axis=0))
  np.testing.assert_allclose(line.probabilities(), probabilities, rtol=0, atol=2e-6)


def test_views_and_scales_share_the_variables(run):
  with run.evaluator(views=('dense', 'dense+ten_crop')) as evaluator:
    names = [v.op.name for v in evaluator._graphs['float32'].variables]
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
