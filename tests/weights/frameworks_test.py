"""Which files run in their own framework, and why others do not.

importer_test.py and others compare the logits.
"""

import sys

import keras
import numpy as np
import pytest

from tests.weights import fabricated
from vgg_slim.configs.net import Network
from vgg_slim.weights import frameworks, keras_h5
from vgg_slim.weights.foreign import ForeignWeights


def request(framework, path='f', arrays=None, kind='f', **values):
  foreign = ForeignWeights(kind, framework, arrays or {})
  network = Network(**{'num_classes': 3, 'model': 'vgg_d', 'image_size': 32, **values})
  images = lambda side: np.zeros([1, side, side, 3], np.float32)  # noqa: E731
  return frameworks.Request(path, foreign, network, 1e-5, images)


@pytest.mark.parametrize(
  ('framework', 'reason'), [('slim', 'copied as they are'), ('npz', 'no framework belongs to f')]
)
def test_files_without_their_own_framework_are_not_compared(framework, reason):
  with pytest.raises(frameworks.NotComparedError, match=reason):
    frameworks.run_source(request(framework))


@pytest.mark.parametrize(('framework', 'package'), [('torch', 'torch'), ('onnx', 'onnxruntime')])
def test_a_framework_that_is_not_installed_is_named(monkeypatch, framework, package):
  for name in ('torch', 'onnx', 'onnxruntime'):
    monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(frameworks.NotComparedError, match='(torch|onnx) is not installed'):
    frameworks.run_source(request(framework))


@pytest.mark.parametrize('values', [{'model': 'vgg_b'}, {'head': 'fc256'}])
def test_weights_of_another_structure_are_not_compared(tmp_path, values):
  path = str(tmp_path / 'm.weights.h5')
  fabricated.keras_vgg(fabricated.small('vgg_a')).save_weights(path)
  kind = keras_h5.read(path).format
  with pytest.raises(frameworks.NotComparedError, match='Keras cannot run the network'):
    frameworks.run_source(request('keras', path, kind=kind, **values))


def test_a_file_that_keras_cannot_load_is_not_compared(tmp_path):
  (tmp_path / 'm.keras').write_bytes(b'')
  with pytest.raises(frameworks.NotComparedError, match='Keras cannot run the network'):
    frameworks.run_source(request('keras', str(tmp_path / 'm.keras'), kind='Keras .keras'))


def test_weights_without_their_network_run_in_keras_applications(tmp_path):
  network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
  fabricated.randomize(network)
  path = str(tmp_path / 'm.weights.h5')
  network.save_weights(path)
  images = np.random.default_rng(0).normal(size=[1, 32, 32, 3]).astype(np.float32)
  weights_only = request('keras', path, kind='Keras .weights.h5', num_classes=None)
  run = frameworks.run_source(weights_only._replace(images_of=lambda side: images))
  assert run.framework == f'Keras {keras.__version__}'
  np.testing.assert_array_equal(run.output, np.asarray(network(images)))


@pytest.mark.parametrize(('name', 'kind'), [('m.keras', 'Keras .keras'), ('m.h5', 'Keras .h5')])
@pytest.mark.filterwarnings('ignore:.*HDF5 file')
def test_code_in_a_model_of_keras_is_not_run(tmp_path, name, kind):
  witness = tmp_path / 'ran'
  act = eval(f'lambda x: (open({str(witness)!r}, "w").close(), x)[1]')  # carries its own constants
  layers = [keras.Input((32, 32, 3)), keras.layers.Lambda(act), keras.layers.Flatten()]
  network = keras.Sequential([*layers, keras.layers.Dense(3)])
  network.save(tmp_path / name)
  assert witness.exists()  # Keras called the layer to build the network
  witness.unlink()
  keras_h5.read(str(tmp_path / name))
  with pytest.raises(frameworks.NotComparedError, match='disallowed by default'):
    frameworks.run_source(request('keras', str(tmp_path / name), kind=kind))
  assert not witness.exists()
