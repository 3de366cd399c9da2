import numpy as np
import pytest

from tests.testing import thin
from tests.weights import fabricated
from tests.weights.fabricated import CLASSES, SIDE, UNITS, our_logits, random_images
from vgg_slim.errors import CheckpointError
from vgg_slim.nets import specs
from vgg_slim.weights import torch_state
from vgg_slim.weights.importer import ImportRequest, run_import
from vgg_slim.weights.transform import InputChange, Sizes

torch = pytest.importorskip('torch', reason='torch, an extra, is not installed')

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def torch_vgg(spec):
  from tests.weights import torch_nets

  rows = [[(conv.channels, conv.kernel) for conv in stage] for stage in spec.stages]
  return torch_nets.vgg(rows, UNITS, CLASSES, SIDE, batch_norm=spec.batch_norm is not None)


def check_module(spec, module, prefix, images, divisors=1.0, sizes=None):
  from tests.weights import torch_nets

  truth = torch_nets.logits(module, (images / np.float32(divisors)).astype(np.float32))
  got = our_logits(spec, prefix, images, sizes or Sizes(CLASSES, SIDE, UNITS))
  fabricated.check_logits(got, truth, rtol=2e-5)


@pytest.mark.parametrize('model', ['vgg_d', 'vgg_a_bn'])
@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_imported_torchvision_vgg_gives_the_same_logits(monkeypatch, tmp_path, model, ending):
  spec = thin(specs.VGG[model])
  monkeypatch.setitem(specs.VGG, model, spec)
  module = torch_vgg(spec)
  path = str(tmp_path / f'm.{ending}')
  if ending == 'pth':
    torch.save(module.state_dict(), path)
  else:
    pytest.importorskip('safetensors.torch').save_file(module.state_dict(), path)
  printed = []
  run_import(ImportRequest(path, model, str(tmp_path / 'm')), printed.append)
  assert 'logits of the probe image, largest difference from torch' in printed[-1]
  assert ('num_batches_tracked' in '\n'.join(printed)) == (spec.batch_norm is not None)
  check_module(spec, module, tmp_path / 'm', random_images() / 10)


def test_division_by_the_deviation_is_folded_into_the_first_convolution(monkeypatch, tmp_path):
  spec = thin(specs.VGG['vgg_a'])
  monkeypatch.setitem(specs.VGG, 'vgg_a', spec)
  module = torch_vgg(spec)
  path = str(tmp_path / 'm.pth')
  torch.save(module.state_dict(), path)
  change = InputChange(rgb_std=STD)
  request = ImportRequest(path, 'vgg_a', str(tmp_path / 'm'), change=change, rgb_mean=MEAN)
  run_import(request, str)
  check_module(spec, module, tmp_path / 'm', random_images(), divisors=STD)


@pytest.mark.parametrize('model', ['resnet18', 'resnet34', 'resnet50_torchvision'])
def test_imported_torchvision_resnet_gives_the_same_logits(monkeypatch, tmp_path, model):
  from tests.weights import torch_nets

  spec = thin(specs.RESNET[model])
  monkeypatch.setitem(specs.RESNET, model, spec)
  rows = [(block.channels, block.units) for block in spec.blocks]
  unit_class = torch_nets.Bottleneck if '50' in model else torch_nets.Basic
  module = torch_nets.resnet(rows, spec.stem_channels, CLASSES, unit_class)
  path = str(tmp_path / 'm.pth')
  torch.save(module.state_dict(), path)
  printed = []
  run_import(ImportRequest(path, model, str(tmp_path / 'm'), image_size=SIDE), printed.append)
  assert 'largest difference from torch' in printed[-1]
  check_module(spec, module, tmp_path / 'm', random_images() / 10)


def test_training_checkpoints_are_unwrapped(tmp_path):
  path = str(tmp_path / 'm.pth')
  state = {'module.features.0.weight': torch.ones(2, 3, 3, 3)}
  torch.save({'epoch': 3, 'state_dict': state, 'optimizer': {}}, path)
  got = torch_state.read_torch(path)
  assert list(got.arrays) == ['module.features.0.weight']


def test_half_precision_becomes_float32(tmp_path):
  path = str(tmp_path / 'm.pth')
  torch.save({'a.weight': torch.tensor([1.5], dtype=torch.bfloat16)}, path)
  assert torch_state.read_torch(path).arrays['a.weight'].dtype == np.float32


def test_a_pickled_module_is_refused(tmp_path):
  path = str(tmp_path / 'm.pth')
  torch.save(torch.nn.Linear(1, 1), path)
  with pytest.raises(CheckpointError, match='is not a plain state dict.*state_dict'):
    torch_state.read_torch(path)


def test_a_file_without_tensors_is_named(tmp_path):
  path = str(tmp_path / 'm.pth')
  torch.save([1, 2], path)
  with pytest.raises(CheckpointError, match='holds list, expected a state dict of tensors'):
    torch_state.read_torch(path)


@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_a_truncated_file_is_named(tmp_path, ending):
  path = tmp_path / f'm.{ending}'
  state = {'a.weight': torch.ones(100)}
  if ending == 'pth':
    torch.save(state, path)
    read = torch_state.read_torch
  else:
    pytest.importorskip('safetensors.torch').save_file(state, str(path))
    read = torch_state.read_safetensors
  path.write_bytes(path.read_bytes()[:-100])
  with pytest.raises(CheckpointError, match=f'm.{ending} cannot be read as'):
    read(str(path))
