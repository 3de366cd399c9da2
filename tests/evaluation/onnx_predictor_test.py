import pathlib

import numpy as np
import PIL.Image
import pytest

from tests.export.fabricated import CONTRACT, make_checkpoint
from tests.testing import graph_session, replace
from vgg_slim.checkpoints.contract import ONNX_FILE
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.evaluation import engines, onnx_predictor
from vgg_slim.evaluation.image_predictor import View, predict_files
from vgg_slim.evaluation.predictions import Failure
from vgg_slim.evaluation.predictor import CheckpointPredictor
from vgg_slim.export import onnx_model
from vgg_slim.preprocessing import description, graph, host


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  for name in ('onnx', 'tf2onnx'):
    pytest.importorskip(name, reason=f'{name}, an extra, is not installed')
  folder = tmp_path_factory.mktemp('onnx')
  prefix, contract = make_checkpoint(folder, model='vgg_a@4', pixel_scale=5e-4)
  onnx_model.write(prefix, contract, folder)
  return folder, prefix, contract


def _write_images(folder: pathlib.Path) -> list[str]:
  """Images of several sizes and kinds: JPEG, gray, transparent, 16 bits, rotated; one damaged."""
  draw = np.random.default_rng(0)
  paths = []
  for i, (height, width) in enumerate([(50, 80), (300, 200), (41, 40), (50, 80)]):
    coarse = draw.integers(0, 255, (6, 6, 3)).astype(np.uint8)
    image = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    paths.append(folder / f'{i}.jpg')
    image.save(paths[-1], quality=80)
  exif = PIL.Image.Exif()
  exif[0x0112] = 6
  image.rotate(90, expand=True).save(folder / 'turned.jpg', exif=exif)
  image.convert('L').save(folder / 'gray.png')
  image.putalpha(128)
  image.save(folder / 'alpha.png')
  (folder / 'damaged.jpg').write_bytes(paths[0].read_bytes()[:200])
  return [str(path) for path in (*paths, *sorted(folder.glob('[adgt]*.*')))]


@pytest.mark.parametrize('engine', engines.ENGINES)
@pytest.mark.parametrize('view', [View(), View(central_crop=True), View(flip=True, test_scale=70)])
def test_answers_are_those_of_the_checkpoint(tmp_path, exported, engine, view):
  pytest.importorskip(engine, reason=f'{engine}, an extra, is not installed')
  folder, prefix, contract = exported
  paths = _write_images(tmp_path)
  k = contract.network.num_classes
  with CheckpointPredictor(prefix, contract, view) as network:
    expected = list(predict_files(network, paths, k, 4))
  with onnx_predictor.OnnxPredictor(str(folder), contract, engine, view) as network:
    answers = list(predict_files(network, paths, k, 4))
  assert sum(isinstance(answer, Failure) for answer in answers) == 1
  for answer, other in zip(answers, expected, strict=True):
    if isinstance(other, Failure):
      assert answer == other
      continue
    assert answer.file == other.file
    by_id = {score.class_id: score.probability for score in answer.top}
    for score in other.top:
      assert by_id[score.class_id] == pytest.approx(score.probability, abs=2e-5)


def test_the_answers_of_the_network_differ_between_images(exported, tmp_path):
  """The tolerance above would prove nothing if all images had the same probabilities."""
  folder, prefix, contract = exported
  paths = [path for path in _write_images(tmp_path) if 'damaged' not in path]
  with CheckpointPredictor(prefix, contract) as network:
    rows = network.probabilities([network.read(path) for path in paths])
  assert np.ptp(rows[:3], axis=0).max() > 1e-3


@pytest.mark.parametrize('keep_aspect_ratio', [True, False])
@pytest.mark.parametrize('resize_filter', description.RESIZE_FILTERS)
def test_pixels_are_those_of_the_graph(keep_aspect_ratio, resize_filter):
  contract = replace(CONTRACT, keep_aspect_ratio=keep_aspect_ratio, resize_filter=resize_filter)
  rules = contract.preprocessing
  for height, width, side in ((300, 200, 64), (41, 57, 41), (30, 45, 64), (64, 500, 64)):
    pixels = np.random.default_rng(side).integers(0, 256, (height, width, 3)).astype(np.uint8)
    with graph_session() as session:
      expected = session.run(graph.resize(tf.constant(pixels), side, rules))
    found = onnx_predictor.resize(pixels, side, rules)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_allclose(found, host.resize(pixels, side, rules), atol=1e-4)


def test_what_is_refused(exported, tmp_path):
  folder, _, contract = exported
  pytest.importorskip('onnxruntime', reason='onnxruntime, an extra, is not installed')
  with pytest.raises(ConfigError, match='at least image_size=32'):
    onnx_predictor.OnnxPredictor(str(folder), contract, 'onnxruntime', View(test_scale=20))
  with pytest.raises(CheckpointError, match=f'{ONNX_FILE} does not exist'):
    onnx_predictor.OnnxPredictor(str(tmp_path), contract, 'onnxruntime')
  trunk = replace(contract, num_classes=None, class_names=None)
  with pytest.raises(CheckpointError, match='has no head'):
    onnx_predictor.OnnxPredictor(str(folder), trunk, 'onnxruntime')


@pytest.mark.parametrize('engine', engines.ENGINES)
def test_a_file_that_is_not_the_network_of_its_contract(exported, engine):
  folder, _, contract = exported
  pytest.importorskip(engine, reason=f'{engine}, an extra, is not installed')
  other = replace(contract, num_classes=contract.network.num_classes + 1, class_names=None)
  predictor = onnx_predictor.OnnxPredictor(str(folder), other, engine)
  with pytest.raises(CheckpointError, match='not the network of its contract.*Export it again'):
    predictor.probabilities([np.zeros([32, 32, 3], np.float32)])
  predictor = onnx_predictor.OnnxPredictor(str(folder), contract, engine)
  with pytest.raises(CheckpointError, match='cannot compute images of 32x32 pixels'):
    predictor.probabilities([np.zeros([32, 32, 4], np.float32)])
