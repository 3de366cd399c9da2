import pathlib
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tests.testing import thin
from tests.weights.fabricated import SIDE, keras_vgg
from vgg_slim.errors import CheckpointError
from vgg_slim.nets import specs
from vgg_slim.weights import keras_h5
from vgg_slim.weights.keras_h5 import KerasLayer

SPEC = thin(specs.VGG['vgg_a_bn'], channels=2)


def save(model, path):
  if path.name.endswith('.weights.h5'):
    model.save_weights(path)
  else:
    model.save(path)
  return str(path)


@pytest.fixture(scope='module')
def model():
  return keras_vgg(SPEC, epsilon=0.01)


@pytest.mark.parametrize('ending', ['weights.h5', 'h5', 'keras'])
def test_every_array_of_every_format_is_read(model, tmp_path, ending):
  model.compile('adam', 'mse')  # leaves optimizer state in the file
  got = keras_h5.read(save(model, tmp_path / f'model.{ending}'))
  expected = {f'{w.path.split("/", 1)[1]}': w.numpy() for w in model.weights}
  assert set(got.arrays) == set(expected)
  for name, array in expected.items():
    np.testing.assert_array_equal(got.arrays[name], array, err_msg=name)
  assert got.skipped == (('optimizer_weights/*',) if ending == 'h5' else ('optimizer/*',))
  # Only formats with the network's config hold epsilon.
  expected = {} if ending == 'weights.h5' else {f'block{s}_conv1_bn': 0.01 for s in (1, 2)}
  assert {k: v for k, v in got.epsilons.items() if k in ('block1_conv1_bn', 'block2_conv1_bn')} == (
    expected
  )


@pytest.mark.parametrize('ending', ['weights.h5', 'h5', 'keras'])
def test_layers_of_a_nested_model_are_read(tmp_path, ending):
  trunk = keras_vgg(SPEC, top=False)
  whole = keras.Sequential(
    [keras.layers.Input([SIDE, SIDE, 3]), trunk, keras.layers.Flatten(), keras.layers.Dense(3)]
  )
  got = keras_h5.read(save(whole, tmp_path / f'model.{ending}'))
  assert 'block5_conv2/kernel' in got.arrays
  assert got.arrays[f'{whole.layers[-1].name}/bias'].shape == (3,)


def test_layers_with_automatic_names_are_read_in_order(tmp_path):
  stack = [keras.layers.Input([4, 4, 3])]
  stack += [keras.layers.Conv2D(n, 1) for n in range(1, 13)]
  got = keras_h5.read(save(keras.Sequential(stack), tmp_path / 'model.weights.h5'))
  kernels = [array.shape[3] for name, array in got.arrays.items() if name.endswith('/kernel')]
  assert kernels == list(range(1, 13))  # conv2d_10 comes after conv2d_9


def test_weights_of_keras_1_are_named_after_their_group(tmp_path):
  path = tmp_path / 'old.h5'
  with h5py.File(path, 'w') as file:
    file.attrs['layer_names'] = [b'block1_conv1', b'block1_pool']
    file.create_group('block1_pool').attrs['weight_names'] = []
    group = file.create_group('block1_conv1')
    group.attrs['weight_names'] = [b'block1_conv1_W_1:0', b'block1_conv1_b_1:0']
    group['block1_conv1_W_1:0'] = np.ones([3, 3, 3, 2])
    group['block1_conv1_b_1:0'] = np.ones(2)
  assert set(keras_h5.read(str(path)).arrays) == {'block1_conv1/kernel', 'block1_conv1/bias'}


def test_flipped_kernels_of_theano_are_refused(tmp_path):
  path = tmp_path / 'theano.h5'
  with h5py.File(path, 'w') as file:
    file.attrs['layer_names'] = [b'block1_conv1']
    file.attrs['backend'] = b'theano'
  with pytest.raises(CheckpointError, match='Theano, whose kernels are flipped'):
    keras_h5.read(str(path))


def test_mirrored_kernels_of_the_first_vgg16_give_the_same_output(tmp_path):
  rng = np.random.default_rng(0)
  stored = rng.normal(size=[2, 3, 3, 3]).astype(np.float32)
  with h5py.File(tmp_path / 'm.h5', 'w') as file:
    file.attrs['nb_layers'] = 3
    file.create_group('layer_0').attrs['nb_params'] = 0  # zero padding
    file['layer_1/param_0'], file['layer_1/param_1'] = stored, np.float32([1, 2])
    file['layer_2/param_0'] = np.ones([8, 4], np.float32)
  got = keras_h5.read(str(tmp_path / 'm.h5'))
  assert list(got.arrays) == ['layer_1/kernel', 'layer_1/bias', 'layer_2/kernel']
  assert got.kernel_shape('layer_1/kernel') == (3, 3, 3, 2)
  assert got.kernel_shape('layer_2/kernel') == (8, 4)
  # A true convolution, as in Theano, and a correlation with the kernel as it was read.
  patch = rng.normal(size=[3, 3, 3])
  convolved = np.einsum('chw,ochw->o', patch, stored[:, :, ::-1, ::-1])
  np.testing.assert_allclose(
    np.einsum('chw,ochw->o', patch, got.arrays['layer_1/kernel']), convolved, rtol=1e-6
  )


def test_written_weights_load_in_keras_bit_for_bit(model, tmp_path):
  layers = []
  for layer in model.layers:
    if layer.weights:
      kind = {'Conv2D': 'conv2d', 'Dense': 'dense'}.get(type(layer).__name__, 'batch_normalization')
      layers.append(KerasLayer(kind, layer.name, tuple(w.numpy() for w in layer.weights)))
  path = str(tmp_path / 'out.weights.h5')
  keras_h5.write_weights(path, layers, epsilon=0.5)
  other = keras_vgg(SPEC, named=False)
  other.load_weights(path)
  for a, b in zip(model.weights, other.weights, strict=True):
    np.testing.assert_array_equal(a.numpy(), b.numpy())
  assert set(keras_h5.read(path).epsilons.values()) == {0.5}


@pytest.mark.parametrize('ending', ['weights.h5', 'h5', 'keras'])
def test_a_truncated_file_is_named(model, tmp_path, ending):
  path = pathlib.Path(save(model, tmp_path / f'model.{ending}'))
  path.write_bytes(path.read_bytes()[:-3000])
  with pytest.raises(CheckpointError, match=f'model.{ending} cannot be read as a Keras file'):
    keras_h5.read(str(path))


def test_an_hdf5_file_without_keras_layers_is_named(tmp_path):
  with h5py.File(tmp_path / 'x.h5', 'w') as file:
    file['table'] = [1.0]
  with pytest.raises(CheckpointError, match='HDF5 file without weights of Keras layers'):
    keras_h5.read(str(tmp_path / 'x.h5'))


def test_a_zip_archive_without_a_keras_model_is_named(tmp_path):
  with zipfile.ZipFile(tmp_path / 'x.keras', 'w') as archive:
    archive.writestr('a.txt', 'a')
  with pytest.raises(CheckpointError, match='x.keras cannot be read as a Keras file'):
    keras_h5.read(str(tmp_path / 'x.keras'))
