import io
import re
import types

import numpy as np
import PIL.Image
import pytest

from tests.data import fabricated
from tests.testing import graph_session, make_contract, random_values, replace
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError, ConfigError, DataError
from vgg_slim.evaluation.image_predictor import View, predict_files
from vgg_slim.evaluation.predictions import Failure
from vgg_slim.evaluation.predictor import CheckpointPredictor, SavedModelPredictor
from vgg_slim.export import saved_model
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph, png_files
from vgg_slim.preprocessing.description import ANTIALIASED

MEAN, SCALE, SIDE, Q = (90.0, 100.0, 110.0), 1 / 50, 32, 40
CONTRACT = make_contract('vgg_a@4', 3, SIDE, 8, rgb_mean=MEAN, pixel_scale=SCALE, test_scale=Q)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  """A checkpoint of random weights, scaled so that probabilities are far from 1/3."""
  prefix = str(tmp_path_factory.mktemp('predictor') / 'model')
  with graph_session() as session:
    registry.build('vgg_a@4', tf.zeros([1, SIDE, SIDE, 3]), 3, Inference(), SIDE, fc_units=8)
    variables = tf.global_variables()
    values = random_values({v.op.name: v.shape.as_list() for v in variables}, scale=0.18)
    session.run([v.assign(values[v.op.name]) for v in variables])
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  return prefix


def jpeg(seed, height, width):
  stream = io.BytesIO()
  shape = (height, width, 3)
  coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
  PIL.Image.fromarray(coarse).resize(shape[1::-1]).save(stream, 'JPEG')
  return stream.getvalue()


IMAGES = [jpeg(seed, *size) for seed, size in enumerate([(50, 80), (70, 60), (50, 80)])]


def softmax(x):
  exps = np.exp(x - x.max(-1, keepdims=True))
  return exps / exps.sum(-1, keepdims=True)


def one_by_one(checkpoint, central_crop, flip):
  """Softmax of the averaged score map, one image and view at a time, averaged in NumPy."""
  rows = []
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    resized = graph.resize_smaller_side(graph.decode_rgb(encoded), Q, ANTIALIASED)
    images = tf.placeholder(tf.float32, [1, None, None, 3])
    outputs = registry.build('vgg_a@4', images, 3, Inference(), SIDE, fc_units=8)
    tf.train.Saver().restore(session, checkpoint)
    for data in IMAGES:
      pixels = session.run(resized, {encoded: data})
      if central_crop:
        top, left = ((side - SIDE + 1) // 2 for side in pixels.shape[:2])
        pixels = pixels[top : top + SIDE, left : left + SIDE]
      unflipped = (pixels - np.array(MEAN)) * SCALE
      scores = [
        session.run(outputs.score_map, {images: [view]})[0].mean((0, 1))
        for view in ([unflipped, unflipped[:, ::-1]] if flip else [unflipped])
      ]
      rows.append(softmax(np.array(scores)).mean(0))
  return np.array(rows)


@pytest.mark.parametrize(('central_crop', 'flip'), [(False, False), (False, True), (True, False)])
def test_batches_match_one_image_at_a_time(checkpoint, central_crop, flip):
  view = View(central_crop=central_crop, flip=flip)
  with CheckpointPredictor(checkpoint, CONTRACT, view) as predictor:
    got = predictor.probabilities([predictor.prepare(data) for data in IMAGES])
  expected = one_by_one(checkpoint, central_crop, flip)
  assert np.ptp(expected[:, 0]) > 1e-3  # ten times the tolerance
  # Other batch sizes sum float32 values in another order, through eleven layers.
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_explanation_holds_the_image_and_its_maps(checkpoint):
  pixels = np.full([Q, 72, 3], (255, 0, 90), np.uint8)
  with CheckpointPredictor(checkpoint, CONTRACT) as predictor:
    image = predictor.prepare(png_files.encode(pixels))
    explanations = [predictor.explain(image, class_id, 'conv4/conv4_2') for class_id in range(3)]
  assert np.array_equal(explanations[0].pixels, pixels)
  assert explanations[0].class_map.shape == (1, 2)
  np.testing.assert_allclose(sum(f.class_map for f in explanations), 1, rtol=1e-5)
  assert explanations[0].grad_cam.shape == (5, 9)
  assert (
    min(f.grad_cam.min() for f in explanations) >= 0 < max(f.grad_cam.max() for f in explanations)
  )


def test_files_that_cannot_be_read_become_failures(tmp_path, checkpoint):
  names = [str(tmp_path / f'{i}.jpg') for i in range(4)]
  for name, data in zip(names, [*IMAGES, b'not an image'], strict=True):
    with open(name, 'wb') as stream:
      stream.write(data)
  paths = [names[3], *names[:3], str(tmp_path / 'gone.jpg')]
  with CheckpointPredictor(checkpoint, CONTRACT) as predictor:
    answers = list(predict_files(predictor, paths, top=2, batch_size=2))
    expected = predictor.probabilities([predictor.prepare(data) for data in IMAGES])
  assert [answer.file for answer in answers] == paths
  for answer, row in zip(answers[1:4], expected, strict=True):
    assert len(answer.top) == 2
    for score in answer.top:
      # Other batches: float32 sums in another order.
      assert score.probability == pytest.approx(row[score.class_id], rel=1e-4)
  assert isinstance(answers[0], Failure)
  assert answers[0].file == names[3]
  assert answers[0].reason.startswith('not an image that Pillow can read; ')
  assert answers[4] == Failure(paths[4], 'No such file or directory')


def test_an_image_too_large_to_be_scored_gets_a_reason_and_a_way_out(tmp_path, checkpoint):
  path = str(tmp_path / 'thin.png')
  PIL.Image.new('RGB', (9000, 2)).save(path)
  with CheckpointPredictor(checkpoint, CONTRACT) as predictor:
    (answer,) = predict_files(predictor, [path], 1, 1)
  assert answer.file == path
  assert re.match('9000 x 2 pixels become .* score the central square', answer.reason)
  with CheckpointPredictor(checkpoint, CONTRACT, View(central_crop=True)) as predictor:
    (answer,) = predict_files(predictor, [path], 1, 1)
  assert answer.top[0].probability > 0


def test_grayscale_is_converted_and_truncated_data_is_refused(checkpoint):
  gray = fabricated.pixels(1, channels=1)
  with CheckpointPredictor(checkpoint, CONTRACT) as predictor:
    assert predictor.prepare(png_files.encode(gray)).shape[2] == 3
    with pytest.raises(DataError):
      predictor.prepare(IMAGES[0][:200])


@pytest.mark.parametrize(
  ('change', 'error', 'message'),
  [
    ({'num_classes': None}, CheckpointError, 'has no head, and a trunk alone'),
    ({'num_classes': 4}, CheckpointError, 'does not fit the network: .*fc8'),
    ({'test_scale': 31}, ConfigError, 'at least image_size=32 and at most'),
  ],
)
def test_a_contract_that_cannot_predict_is_refused(checkpoint, change, error, message):
  with pytest.raises(error, match=message):
    CheckpointPredictor(checkpoint, replace(CONTRACT, **change))


def test_a_saved_model_gives_the_same_probabilities(tmp_path, checkpoint):
  saved_model.write(checkpoint, CONTRACT, tmp_path)
  rows = []
  for opened in (
    CheckpointPredictor(checkpoint, CONTRACT, View(flip=True)),
    SavedModelPredictor(str(tmp_path), CONTRACT, View(flip=True)),
  ):
    with opened as predictor:
      rows.append(predictor.probabilities([predictor.prepare(data) for data in IMAGES]))
  np.testing.assert_allclose(*rows, rtol=1e-5)


def test_a_saved_model_without_probabilities_is_refused(tmp_path, checkpoint):
  trunk = replace(CONTRACT, num_classes=None)
  saved_model.write(checkpoint, trunk, tmp_path)
  with pytest.raises(CheckpointError, match='gives features, but no probabilities'):
    SavedModelPredictor(str(tmp_path), trunk)
  with pytest.raises(CheckpointError, match='cannot be loaded as a SavedModel'):
    SavedModelPredictor(str(tmp_path / 'nowhere'), CONTRACT)
  tmp_path.rename(tmp_path.with_name('x [1]'))
  with pytest.raises(CheckpointError, match=r'takes \[1\] for a pattern'):
    SavedModelPredictor(str(tmp_path.with_name('x [1]')), CONTRACT)


@pytest.mark.parametrize('signatures', [{}, {'serving_default': {'x': None}}])
def test_a_saved_model_with_other_inputs_is_refused(monkeypatch, signatures):
  signatures = {
    name: types.SimpleNamespace(inputs=inputs, outputs={'probabilities': None})
    for name, inputs in signatures.items()
  }
  model = types.SimpleNamespace(signature_def=signatures)
  monkeypatch.setattr(tf.saved_model, 'load', lambda *_: model)
  with pytest.raises(CheckpointError, match='no signature serving_default with the input images'):
    SavedModelPredictor('folder', CONTRACT)
