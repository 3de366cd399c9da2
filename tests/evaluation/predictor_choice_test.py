import numpy as np
import PIL.Image
import pytest

from tests.testing import assign, graph_session, make_contract, random_values
from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.evaluation import precision_proof, predictor_choice
from vgg_slim.evaluation.predictor import CheckpointPredictor
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference

CONTRACT = make_contract('vgg_a@4', 3, 32, 8, pixel_scale=1 / 64, test_scale=32)
# Columns of fc8: the classes are far apart, or the first two differ by less than bfloat16 can tell.
APART = ((1.0, -1.0, -1.0), (3.0, 0.0, 0.0))
NEARLY_EQUAL = ((1.0, 1 + 2**-10, -1.0), (0.0, 0.0, 0.0))


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """Paths of seven images, and of one file that is none."""
  folder = tmp_path_factory.mktemp('images')
  paths = [str(folder / f'{i}.png') for i in range(8)]
  for i, path in enumerate(paths):
    pixels = np.random.default_rng(i).integers(0, 256, [32, 32 + i % 2, 3], np.uint8)
    PIL.Image.fromarray(pixels).save(path)
  with open(paths[2], 'wb') as stream:
    stream.write(b'none')
  return paths


def save(folder, columns, biases):
  with graph_session() as session:
    registry.build('vgg_a@4', tf.zeros([1, 32, 32, 3]), 3, Inference(), 32, fc_units=8)
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = random_values(shapes, scale=0.18)
    values['vgg_a/fc8/weights'] = np.broadcast_to(np.float32(columns), [1, 1, 8, 3])
    values['vgg_a/fc8/biases'] = np.float32(biases)
    assign(session, values)
    return tf.train.Saver().save(session, str(folder / 'model'), write_meta_graph=False)


def choose(checkpoint, files):
  return predictor_choice.choose(CheckpointPredictor(checkpoint, CONTRACT), files, batch_size=3)


def opened(checkpoint, precision):
  return CheckpointPredictor(checkpoint, CONTRACT, precision=precision)


@pytest.fixture
def fast_bfloat16(monkeypatch):
  monkeypatch.setattr(sessions, 'fast_precision', lambda: 'bfloat16')
  monkeypatch.setattr(precision_proof, 'MIN_INPUTS', 8)


def probabilities(network, files):
  with network:
    return network.probabilities([network.read(path) for path in files if '2.png' not in path])


def test_bfloat16_is_chosen_once_it_is_proven(tmp_path, files, fast_bfloat16):
  checkpoint = save(tmp_path, *APART)
  network, proof = choose(checkpoint, files)
  # The file that is no image has no answer.
  assert proof.describe().startswith('bfloat16: 0 of 7 top-1 answers change, largest difference ')
  got = probabilities(network, files)
  expected, exact = (
    probabilities(opened(checkpoint, precision), files) for precision in ('bfloat16', 'float32')
  )
  np.testing.assert_array_equal(got, expected)
  assert np.abs(got - exact).max() > 0


def test_float32_is_kept_where_answers_change(tmp_path, files, fast_bfloat16):
  checkpoint = save(tmp_path, *NEARLY_EQUAL)
  network, proof = choose(checkpoint, files)
  assert proof.describe().startswith('bfloat16: 7 of 7 top-1 answers change, ')
  got = probabilities(network, files)
  assert got.argmax(1).tolist() == [1] * 7
  exact = probabilities(opened(checkpoint, 'float32'), files)
  np.testing.assert_array_equal(got, exact)


def test_nothing_is_proven_for_few_files_unreadable_ones_or_a_slow_processor(
  tmp_path, files, fast_bfloat16, monkeypatch
):
  checkpoint = save(tmp_path, *APART)
  for paths in (files[:7], [files[2]] * 8):
    network, proof = choose(checkpoint, paths)
    network.close()
    assert proof is None
  monkeypatch.setattr(sessions, 'fast_precision', lambda: 'float32')
  network, proof = choose(checkpoint, files)
  network.close()
  assert proof is None
