"""Imports of real files of small networks, compared by logits, and messages of failed imports."""

import dataclasses

import numpy as np
import pytest

from tests.weights import fabricated
from tests.weights.fabricated import (
  CLASSES,
  SIDE,
  UNITS,
  check_logits,
  our_logits,
  random_images,
)
from vgg_slim.checkpoints import contract
from vgg_slim.errors import ConfigError, WeightMismatchError
from vgg_slim.weights import npz, slim_ckpt
from vgg_slim.weights.importer import ImportRequest, run_import
from vgg_slim.weights.recognition import variable_shapes
from vgg_slim.weights.transform import InputChange


@pytest.fixture
def small_spec(monkeypatch):
  """Returns a function that replaces the spec of a network with a small one, and returns it."""
  return lambda name: fabricated.put_small(monkeypatch, name)


def save(model, path):
  (model.save_weights if path.name.endswith('.weights.h5') else model.save)(path)
  return str(path)


def import_file(path, model, output, **values):
  """Runs the import; returns the contract and the printed text."""
  printed = []
  result = run_import(ImportRequest(str(path), model, str(output), **values), printed.append)
  return result, '\n'.join(printed)


@pytest.mark.parametrize(
  ('model', 'ending', 'named'),
  [
    ('vgg_a', 'weights.h5', True),
    ('vgg_c', 'h5', True),
    ('vgg_a_bn', 'keras', True),
    ('vgg_a_bn', 'weights.h5', False),
    ('resnet50_keras', 'keras', True),
  ],
)
def test_imported_keras_networks_give_the_same_logits(small_spec, tmp_path, model, ending, named):
  spec = small_spec(model)
  if model.startswith('resnet'):
    network = fabricated.keras_resnet50(spec)
  else:
    network = fabricated.keras_vgg(spec, named=named)
  path = save(network, tmp_path / f'm.{ending}')
  result, printed = import_file(path, model, tmp_path / 'm', image_size=SIDE)
  images = random_images() / 60
  check_logits(
    our_logits(result.network, tmp_path / 'm', images), fabricated.keras_logits(network, images)
  )
  assert (result.network.num_classes, result.network.image_size) == (CLASSES, SIDE)
  assert contract.read_contract(tmp_path / 'm.json') == result
  assert 'logits of the probe image, largest difference from Keras' in printed


@pytest.mark.parametrize(
  ('layout', 'units', 'average', 'ending', 'head'),
  [
    ('nested', (256,), False, 'h5', 'fc256'),
    ('nested', (), False, 'weights.h5', 'linear'),
    ('functional', (8,), True, 'keras', 'average_fc8'),
    ('nameless', (512, 512), False, 'weights.h5', 'fc512_512'),
  ],
)
def test_fine_tuned_keras_networks_give_the_same_logits(
  small_spec, tmp_path, caplog, layout, units, average, ending, head
):
  from keras import Model, Sequential, layers

  spec = small_spec('vgg_a')
  trunk = fabricated.keras_vgg(spec, named=layout != 'nameless', top=False)
  stack = [layers.GlobalAveragePooling2D() if average else layers.Flatten()]
  stack += [layer for n in units for layer in (layers.Dense(n, 'relu'), layers.Dropout(0.5))]
  stack += [layers.Dense(1, 'sigmoid')]
  if layout == 'functional':
    outputs = trunk.outputs[0]
    for layer in stack:
      outputs = layer(outputs)
    network = Model(trunk.inputs[0], outputs)
  else:
    nested = Model(trunk.inputs[0], trunk.outputs[0])
    below = [nested] if layout == 'nested' else trunk.layers
    network = Sequential([layers.Input([SIDE, SIDE, 3]), *below, *stack])
  fabricated.randomize(network)
  path = save(network, tmp_path / f'm.{ending}')
  result, printed = import_file(path, 'vgg_a', tmp_path / 'm')
  expected = fabricated.network('vgg_a', num_classes=2, classifier_activation='sigmoid')
  assert result.network == dataclasses.replace(expected, head=head, fc_units=4096)
  assert ('taken by order and shape' in caplog.text) == (layout == 'nameless')
  assert 'largest difference from Keras' in printed
  images = random_images() / 60
  got = our_logits(result.network, tmp_path / 'm', images)
  check_logits(got, fabricated.keras_logits(network, images))


def test_several_labels_for_an_image_are_refused(small_spec, tmp_path):
  from keras import Sequential, layers

  trunk = fabricated.keras_vgg(small_spec('vgg_a'), top=False)
  stack = [layers.GlobalAveragePooling2D(), layers.Dense(CLASSES, 'sigmoid')]
  below = layers.Input([SIDE, SIDE, 3])
  path = save(Sequential([below, *trunk.layers, *stack]), tmp_path / 'm.keras')
  with pytest.raises(WeightMismatchError, match=f'ends in a sigmoid of {CLASSES} scores'):
    import_file(path, 'vgg_a', tmp_path / 'm')


def test_layers_that_change_the_pixels_are_named(small_spec, tmp_path):
  from keras import Sequential, layers

  trunk = fabricated.keras_vgg(small_spec('vgg_a'), top=False)
  below = [layers.Input([SIDE, SIDE, 3]), layers.Rescaling(1 / 255)]
  network = Sequential([*below, *trunk.layers, layers.Flatten(), layers.Dense(CLASSES)])
  path = save(network, tmp_path / 'm.h5')
  printed = []
  with pytest.raises(WeightMismatchError):
    run_import(ImportRequest(path, 'vgg_a', str(tmp_path / 'm')), printed.append)
  assert 'changes the pixels itself, by Rescaling' in '\n'.join(printed)


def test_the_trunk_of_a_larger_network_is_imported_on_request(small_spec, tmp_path):
  from keras import Model, layers

  spec = small_spec('vgg_a')
  trunk = fabricated.keras_vgg(spec, top=False)
  side = layers.Conv2D(1, 1, name='dsn2')(trunk.get_layer('block2_pool').output)
  up = layers.UpSampling2D(2)(trunk.outputs[0])
  network = Model(trunk.inputs[0], [side, layers.Conv2D(4, 3, name='decoder')(up)])
  path = save(network, tmp_path / 'm.keras')
  with pytest.raises(
    WeightMismatchError, match='has 10 convolutions, vgg_a has 8. --trunk_only imports'
  ):
    import_file(path, 'vgg_a', tmp_path / 'm')
  result, printed = import_file(path, 'vgg_a', tmp_path / 'm', trunk_only=True)
  assert 'not imported: 4 arrays: dsn2/kernel' in printed
  assert 'pool5 of the probe image, largest difference from Keras' in printed
  images = random_images() / 60
  got = our_logits(result.network, tmp_path / 'm', images)
  check_logits(got, np.asarray(trunk(images)))


def test_arrays_are_excluded_by_patterns(small_spec, tmp_path):
  spec = small_spec('vgg_a')
  arrays = fabricated.random_arrays(variable_shapes(fabricated.network(spec.name)))
  npz.write_weights(str(tmp_path / 'm.npz'), {**arrays, 'gate/kernel': np.zeros([2, 2, 2])})
  with pytest.raises(WeightMismatchError, match='1 unexpected: gate/kernel'):
    import_file(tmp_path / 'm.npz', 'vgg_a', tmp_path / 'm')
  _, printed = import_file(tmp_path / 'm.npz', 'vgg_a', tmp_path / 'm', exclude=('gate/*',))
  assert 'not imported: 1 array: gate/kernel [2, 2, 2]' in printed


@pytest.mark.parametrize('norm', [{'scale': False}, {'center': False, 'epsilon': 0.1}])
def test_batch_norms_without_scale_or_shift_behind_a_bias(small_spec, tmp_path, norm):
  spec = small_spec('vgg_a_bn')
  network = fabricated.keras_vgg(spec, conv_bias=True, **norm)
  path = save(network, tmp_path / 'm.keras')
  report = tmp_path / 'report.txt'
  result, _ = import_file(path, 'vgg_a_bn', tmp_path / 'm', report=str(report))
  lines = report.read_text()
  assert 'block1_conv1_bn/moving_mean [4] + block1_conv1/bias [4]' in lines
  assert f'{"gamma" if "scale" in norm else "beta"} [4] <- constant' in lines
  images = random_images() / 60
  check_logits(
    our_logits(result.network, tmp_path / 'm', images), fabricated.keras_logits(network, images)
  )


def test_imported_bgr_weights_take_rgb_images(small_spec, tmp_path):
  spec = small_spec('vgg_a')
  network = fabricated.keras_vgg(spec)
  path = save(network, tmp_path / 'm.keras')
  result, _ = import_file(path, 'vgg_a', tmp_path / 'm', change=InputChange(bgr=True))
  images = random_images()
  truth = fabricated.keras_logits(network, images[..., ::-1])
  check_logits(our_logits(result.network, tmp_path / 'm', images), truth)


def test_scaling_within_the_source_model_is_detected(small_spec, tmp_path):
  import keras

  spec = small_spec('vgg_a')
  layers = fabricated.keras_vgg(spec).layers
  network = keras.Sequential(
    [keras.layers.Input([SIDE, SIDE, 3]), keras.layers.Rescaling(1 / 255), *layers]
  )
  path = save(network, tmp_path / 'm.keras')
  with pytest.raises(WeightMismatchError, match='fit by shape, but the networks differ'):
    import_file(path, 'vgg_a', tmp_path / 'm')
  assert not list(tmp_path.glob('m.[dij]*'))


@pytest.mark.parametrize('version', [1, 2])
def test_slim_checkpoints_are_copied_bit_for_bit(small_spec, tmp_path, version):
  spec = small_spec('vgg_a_bn')
  arrays = fabricated.random_arrays(variable_shapes(fabricated.network(spec.name)))
  arrays = {f'{spec.scope}/{name}': array for name, array in arrays.items()}
  fabricated.save_checkpoint(tmp_path / 'old.ckpt', arrays, version)
  _, printed = import_file(tmp_path / 'old.ckpt', 'vgg_a_bn', tmp_path / 'new')
  got = slim_ckpt.read(str(tmp_path / 'new'))
  assert got.skipped == ()
  assert set(got.arrays) == set(arrays)
  for name, array in arrays.items():
    np.testing.assert_array_equal(got.arrays[name], array)
  assert f'{min(arrays)}/Momentum' in printed
  assert 'not compared with the source: the arrays are TensorFlow variables already' in printed


@pytest.mark.parametrize(
  ('file', 'note'),
  [('m.npz', 'input: the script of Frossard'), ('m.npy', 'take B, G, R; give --bgr')],
)
def test_names_and_layout_of_the_first_vgg16_files(small_spec, tmp_path, file, note):
  spec = small_spec('vgg_a')
  ours = fabricated.random_arrays(variable_shapes(fabricated.network(spec.name)))
  theirs, layers = {}, {}
  for name, array in ours.items():
    layer, part = name.split('/')[-2:]
    array = (
      array.reshape(-1, array.shape[-1]) if layer.startswith('fc') and array.ndim > 1 else array
    )
    theirs[f'{layer}_{"W" if part == "weights" else "b"}'] = array
    layers.setdefault(layer, []).append(array)  # weights, biases
  npz.write_weights(str(tmp_path / 'm.npz'), theirs)
  np.save(tmp_path / 'm.npy', layers, allow_pickle=True)
  _, printed = import_file(tmp_path / file, 'vgg_a', tmp_path / 'm')
  assert 'no framework belongs to' in printed
  assert note in printed
  got = slim_ckpt.read(str(tmp_path / 'm')).arrays
  for name, array in ours.items():
    np.testing.assert_array_equal(got[f'{spec.scope}/{name}'], array)


def test_a_trunk_is_imported_on_request_only(small_spec, tmp_path):
  spec = small_spec('vgg_a')
  network = fabricated.keras_vgg(spec, top=False)
  path = save(network, tmp_path / 'm.keras')
  with pytest.raises(
    WeightMismatchError,
    match='no fully-connected layers, .*no head. --trunk_only .*6 missing',
  ):
    import_file(path, 'vgg_a', tmp_path / 'm')
  result, printed = import_file(path, 'vgg_a', tmp_path / 'm', trunk_only=True)
  assert result.network.is_trunk
  assert 'pool5 of the probe image, largest difference from Keras' in printed
  images = random_images() / 60
  got = our_logits(result.network, tmp_path / 'm', images)
  check_logits(got, np.asarray(network(images)))


@pytest.fixture(scope='module')
def vgg_b_file(tmp_path_factory):
  """Path of the weights of a thin vgg_b in Keras, with CLASSES classes and UNITS hidden units."""
  network = fabricated.keras_vgg(fabricated.small('vgg_b'))
  return save(network, tmp_path_factory.mktemp('b') / 'b.weights.h5')


@pytest.mark.parametrize(
  ('model', 'values', 'message'),
  [
    ('vgg_a', {}, r'file has 10 convolutions, vgg_a has 8. The file fits --model=vgg_b. .*4 unexp'),
    (
      'vgg_d',
      {},
      r'10 convolutions, vgg_d has 13. .* --model=vgg_b. .*6 missing: vgg_16/',
    ),
    ('vgg_a', {'trunk_only': True}, 'fits --model=vgg_b.*4 unexpected: block1_conv2/kernel'),
    (
      'vgg_b',
      {'num_classes': 9},
      f'units.*has {CLASSES} classes: .*--checkpoint_exclude_scopes=vgg_b/fc8.*2 shape mismatch',
    ),
    ('vgg_b', {'fc_units': UNITS + 1}, f'is for .*--fc_units={UNITS}.*shape mismatch: vgg_b/fc6/'),
    (
      'vgg_b',
      {'head': 'linear'},
      f'layers of {UNITS}, {UNITS}, {CLASSES} units, the head linear of',
    ),
    (
      'vgg_b',
      {'image_size': 96},
      r'vgg_b/fc6/weights: file fc1/kernel \[128, 6\], network \[3, 3,',
    ),
    ('vgg_a@3', {}, 'The file fits --model=vgg_b'),
    ('vgg_b', {'exclude': ('nothing*',)}, '--exclude=nothing. matches no array'),
    ('vgg_b', {'class_names': ('a', 'b')}, 'class_names has 2 names for num_classes=5'),
  ],
)
def test_a_file_that_does_not_fit_is_refused_with_advice(
  small_spec, tmp_path, vgg_b_file, model, values, message
):
  for name in ('vgg_a', 'vgg_b', 'vgg_d'):
    small_spec(name)
  with pytest.raises((WeightMismatchError, ConfigError), match=message):
    import_file(vgg_b_file, model, tmp_path / 'm', **values)
  assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_kept(tmp_path, vgg_b_file):
  (tmp_path / 'm.index').write_text('mine')
  with pytest.raises(ConfigError, match='m.index exists; give another --output'):
    import_file(vgg_b_file, 'vgg_b', tmp_path / 'm')
  assert (tmp_path / 'm.index').read_text() == 'mine'


def test_advice_on_classes_precedes_advice_on_a_model_of_the_same_shapes(small_spec, tmp_path):
  small_spec('vgg_a')
  spec = small_spec('vgg_a_lrn')
  arrays = fabricated.random_arrays(variable_shapes(fabricated.network(spec.name)))
  npz.write_weights(str(tmp_path / 'a.npz'), arrays)
  with pytest.raises(
    WeightMismatchError, match=f'The file has {CLASSES} classes: import it without'
  ):
    import_file(tmp_path / 'a.npz', 'vgg_a', tmp_path / 'm', num_classes=9)
