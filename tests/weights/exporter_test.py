import shlex

import numpy as np
import pytest

from tests.weights import fabricated
from tests.weights.fabricated import random_images
from vgg_slim.checkpoints import contract
from vgg_slim.errors import CheckpointError, ConfigError, WeightMismatchError
from vgg_slim.nets import head_specs, specs
from vgg_slim.preprocessing.description import Preprocessing
from vgg_slim.weights import slim_ckpt
from vgg_slim.weights.export_request import ExportRequest
from vgg_slim.weights.exporter import run_export
from vgg_slim.weights.importer import ImportRequest, run_import
from vgg_slim.weights.recognition import variable_shapes
from vgg_slim.weights.transform import InputChange


@pytest.fixture
def trained(monkeypatch, tmp_path):
  """Writes a thin network's checkpoint as training does; returns (spec, prefix, arrays)."""

  def write(name, trunk_only=False, **values):
    spec = fabricated.put_small(monkeypatch, name)
    network = fabricated.trunk(name) if trunk_only else fabricated.network(name, **values)
    arrays = fabricated.random_arrays(variable_shapes(network))
    arrays = {f'{spec.scope}/{n}': array for n, array in arrays.items()}
    prefix = str(tmp_path / 'model.ckpt-7')
    fabricated.save_checkpoint(prefix, arrays)
    return spec, prefix, arrays

  return write


@pytest.mark.parametrize(
  ('name', 'ending'),
  [
    ('vgg_a_bn', 'npz'),
    ('vgg_a_bn', 'weights.h5'),
    ('vgg_cifar', 'weights.h5'),
    ('resnet50_keras', 'weights.h5'),
    ('resnet_v1_50', 'npz'),
  ],
)
def test_exported_and_imported_weights_have_the_same_bits(trained, tmp_path, name, ending):
  _, prefix, arrays = trained(name)
  path = str(tmp_path / f'm.{ending}')
  run_export(ExportRequest(prefix, path, name), str)
  run_import(ImportRequest(path, name, str(tmp_path / 'm'), image_size=fabricated.SIDE), str)
  imported = slim_ckpt.read(str(tmp_path / 'm'))
  assert set(imported.arrays) == set(arrays)
  for variable, array in arrays.items():
    np.testing.assert_array_equal(imported.arrays[variable], array, err_msg=variable)


@pytest.mark.parametrize(
  ('name', 'head', 'ending'),
  [
    ('vgg_a', None, 'keras'),
    ('vgg_a', 'linear', 'keras'),
    ('vgg_a', 'fc256', 'weights.h5'),
    ('vgg_a_bn', 'average_fc256', 'keras'),
    ('vgg_cifar', None, 'keras'),
    ('resnet_v1_50', 'fc512_512', 'keras'),
    ('resnet18', None, 'keras'),
    ('vgg_a', None, 'safetensors'),
    ('vgg_a', 'fc512_512', 'pth'),
    ('vgg_a_bn', 'average', 'pth'),
    ('vgg_cifar', None, 'pth'),
    ('resnet50_torchvision', 'fc256', 'pth'),
    ('resnet18', None, 'safetensors'),
  ],
)
def test_every_head_goes_out_and_comes_back(trained, tmp_path, name, head, ending):
  if ending in ('pth', 'safetensors'):
    pytest.importorskip('torch', reason='torch, an extra, is not installed')
    pytest.importorskip('safetensors', reason='safetensors, an extra, is not installed')
  _, prefix, arrays = trained(name, head=head)
  is_free = head_specs.has_free_units(head or specs.get(name).head)
  values = {} if is_free else {'fc_units': 4096}
  network = fabricated.network(name, head=head, **values)
  contract.write_contract(
    contract.contract_path(prefix), contract.Contract(network, Preprocessing((0, 0, 0), 1.0, 64))
  )
  path = str(tmp_path / f'm.{ending}')
  printed = []
  run_export(ExportRequest(prefix, path), printed.append)
  if name == 'vgg_cifar' and ending == 'pth':
    assert 'does not tell where the batch norms of the head are' in printed[-2]
  else:
    assert 'logits of the probe image, largest difference from' in printed[-2]
  request = ImportRequest(path, name, str(tmp_path / 'm'), image_size=fabricated.SIDE)
  assert run_import(request, str).network == network
  imported = slim_ckpt.read(str(tmp_path / 'm')).arrays
  assert set(imported) == set(arrays)
  for variable, array in arrays.items():
    np.testing.assert_array_equal(imported[variable], array, err_msg=variable)


def test_a_checkpoint_is_exported_without_the_state_of_training(trained, tmp_path):
  _, prefix, arrays = trained('vgg_a', head='linear')
  output = str(tmp_path / 'slim.ckpt')
  run_export(ExportRequest(prefix, output, 'vgg_a'), str)
  exported = slim_ckpt.read(output)
  assert exported.skipped == ()
  for variable, array in arrays.items():
    np.testing.assert_array_equal(exported.arrays[variable], array)


def test_keras_loads_exported_weights_and_gives_the_same_logits(trained, tmp_path):
  spec, prefix, _ = trained('vgg_a_bn')
  path = str(tmp_path / 'm.weights.h5')
  run_export(ExportRequest(prefix, path, 'vgg_a_bn', bgr=True), str)
  network = fabricated.keras_vgg(spec, named=False, epsilon=spec.batch_norm.epsilon)
  network.load_weights(path)
  images = random_images() / 60
  truth = fabricated.our_logits(fabricated.network('vgg_a_bn'), prefix, images)
  got = fabricated.keras_logits(network, images[..., ::-1])
  fabricated.check_logits(got, truth)


def test_a_trunk_is_exported_as_a_trunk(trained, tmp_path):
  _, prefix, arrays = trained('vgg_a', trunk_only=True)
  path = str(tmp_path / 'm.npz')
  with pytest.raises(CheckpointError, match='does not hold the head of vgg_a; --trunk_only'):
    run_export(ExportRequest(prefix, path, 'vgg_a'), str)
  run_export(ExportRequest(prefix, path, 'vgg_a', trunk_only=True), str)
  with np.load(path) as saved:
    assert set(saved.files) == set(arrays)
  # The contract of an imported trunk says that it is one, so that no flag is needed.
  run_import(ImportRequest(path, 'vgg_a', str(tmp_path / 'm'), trunk_only=True), str)
  run_export(ExportRequest(str(tmp_path / 'm'), str(tmp_path / 'again.npz')), str)


@pytest.mark.parametrize(
  ('values', 'error', 'message'),
  [
    ({'checkpoint': 'nothing'}, CheckpointError, 'nothing is not a checkpoint'),
    ({'model': None}, ConfigError, 'has neither model.ckpt-7.json nor config.json.*give --model'),
    ({'model': 'vgg_b'}, WeightMismatchError, 'does not fit vgg_b. The file has 8 convolutions'),
  ],
)
def test_invalid_requests_are_named_and_write_nothing(
  trained, tmp_path, monkeypatch, values, error, message
):
  monkeypatch.chdir(tmp_path)
  _, prefix, _ = trained('vgg_a')
  request = {'checkpoint': prefix, 'output': 'm.npz', 'model': 'vgg_a', **values}
  with pytest.raises(error, match=message):
    run_export(ExportRequest(**request), str)
  assert not list(tmp_path.glob('m.*npz'))


def test_an_existing_output_is_kept(trained, tmp_path):
  _, prefix, _ = trained('vgg_a')
  (tmp_path / 'm.npz').write_text('mine')
  with pytest.raises(ConfigError, match='m.npz exists'):
    run_export(ExportRequest(prefix, str(tmp_path / 'm.npz'), 'vgg_a'), str)
  assert (tmp_path / 'm.npz').read_text() == 'mine'


@pytest.mark.parametrize('bgr', [False, True])
def test_the_command_that_is_printed_imports_the_same_network(trained, tmp_path, bgr):
  # With 1,000 classes and such names it would be taken for a network of Keras, of B, G, R.
  _, prefix, arrays = trained('vgg_d', num_classes=1000)
  made = contract.Contract(
    fabricated.network('vgg_d', num_classes=1000),
    Preprocessing((152.861, 122.37, 132.1), 0.5, 256),
    random_flip=False,
  )
  contract.write_contract(contract.contract_path(prefix), made)
  path, said = str(tmp_path / f'm {bgr}.weights.h5'), []
  run_export(ExportRequest(prefix, path, bgr=bgr), said.append)
  words = shlex.split(said[-1].partition('tools/import_weights ')[2])
  flags = dict(word.removeprefix('--').partition('=')[::2] for word in words)
  assert ('nobgr' in flags) != bgr
  request = ImportRequest(
    flags['from'],
    flags['model'],
    str(tmp_path / 'again'),
    change=InputChange('bgr' in flags),
  )
  run_import(request.like(contract.find_contract(flags['contract'])), str)
  imported = slim_ckpt.read(str(tmp_path / 'again'))
  for variable, array in arrays.items():
    np.testing.assert_array_equal(imported.arrays[variable], array, err_msg=variable)
  again = contract.read_contract(contract.contract_path(str(tmp_path / 'again')))
  assert (again.preprocessing, again.random_flip) == (made.preprocessing, False)
