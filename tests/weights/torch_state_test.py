import argparse

import numpy as np
import pytest

from tests.testing import thin
from tests.weights import fabricated
from tests.weights.fabricated import CLASSES, SIDE, UNITS, our_logits, random_images
from vgg_slim.errors import CheckpointError
from vgg_slim.nets import specs
from vgg_slim.weights import torch_state
from vgg_slim.weights.importer import ImportRequest, run_import
from vgg_slim.weights.transform import InputChange

torch = pytest.importorskip('torch', reason='torch, an extra, is not installed')

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def torch_vgg(spec):
  from tests.weights import torch_nets

  rows = [[(conv.channels, conv.kernel) for conv in stage] for stage in spec.stages]
  return torch_nets.vgg(rows, UNITS, CLASSES, SIDE, batch_norm=spec.batch_norm is not None)


def check_module(network, module, prefix, images, divisors=1.0):
  from tests.weights import torch_nets

  truth = torch_nets.logits(module, (images / np.float32(divisors)).astype(np.float32))
  got = our_logits(network, prefix, images)
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
  result = run_import(ImportRequest(path, model, str(tmp_path / 'm')), printed.append)
  assert 'logits of the probe image, largest difference from torch' in printed[-1]
  assert ('num_batches_tracked' in '\n'.join(printed)) == (spec.batch_norm is not None)
  check_module(result.network, module, tmp_path / 'm', random_images() / 10)


def test_division_by_the_deviation_is_folded_into_the_first_convolution(monkeypatch, tmp_path):
  spec = thin(specs.VGG['vgg_a'])
  monkeypatch.setitem(specs.VGG, 'vgg_a', spec)
  module = torch_vgg(spec)
  path = str(tmp_path / 'm.pth')
  torch.save(module.state_dict(), path)
  change = InputChange(rgb_std=STD)
  request = ImportRequest(path, 'vgg_a', str(tmp_path / 'm'), change=change, rgb_mean=MEAN)
  result = run_import(request, str)
  check_module(result.network, module, tmp_path / 'm', random_images(), divisors=STD)


@pytest.mark.parametrize(
  ('head', 'name'),
  [
    ({6: (UNITS, CLASSES)}, None),
    ({0: (None, UNITS), 3: (UNITS, CLASSES)}, f'fc{UNITS}'),
    ({1: (None, UNITS), 4: (UNITS, UNITS), 6: (UNITS, CLASSES)}, None),  # torchvision until 2017
    ({0: (None, CLASSES)}, 'linear'),
  ],
)
def test_fine_tuned_heads_give_the_same_logits(monkeypatch, tmp_path, head, name):
  """Heads by the index of each linear layer in `classifier`; {6: ...} replaces the last one."""
  spec = thin(specs.VGG['vgg_a'])
  monkeypatch.setitem(specs.VGG, 'vgg_a', spec)
  module = torch_vgg(spec)
  n_in = module.classifier[0].in_features
  if set(head) == {6}:
    module.classifier[6] = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(*head[6]))
  else:
    layers = [torch.nn.ReLU() if i % 3 else torch.nn.Dropout() for i in range(7)]
    for index, (inputs, outputs) in head.items():
      layers[index] = torch.nn.Linear(inputs or n_in, outputs)
    module.classifier = torch.nn.Sequential(*layers[: max(head) + 1])
  module.eval()
  path = str(tmp_path / 'm.pth')
  torch.save(module.state_dict(), path)
  printed = []
  result = run_import(ImportRequest(path, 'vgg_a', str(tmp_path / 'm')), printed.append)
  assert result.network.head == name
  assert 'largest difference from torch' in printed[-1]
  check_module(result.network, module, tmp_path / 'm', random_images() / 10)


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
  request = ImportRequest(path, model, str(tmp_path / 'm'), image_size=SIDE)
  result = run_import(request, printed.append)
  assert 'largest difference from torch' in printed[-1]
  check_module(result.network, module, tmp_path / 'm', random_images() / 10)


def test_training_checkpoints_are_unwrapped(tmp_path):
  path = str(tmp_path / 'm.pth')
  state = {'module.features.0.weight': torch.ones(2, 3, 3, 3)}
  torch.save({'epoch': 3, 'state_dict': state, 'optimizer': {}}, path)
  got = torch_state.read_torch(path)
  assert list(got.arrays) == ['features.0.weight']


@pytest.mark.parametrize('name', ['features.module.0', 'module.features.0', '_orig_mod.features.0'])
def test_names_lose_what_wrappers_add(tmp_path, name):
  path = str(tmp_path / 'm.pth')
  torch.save({'net_weights': {f'{name}.weight': torch.ones(2, 3, 3, 3)}}, path)
  assert list(torch_state.read_torch(path).arrays) == ['features.0.weight']


def test_numbers_and_arguments_beside_the_state_dict_are_read_over(tmp_path):
  path = str(tmp_path / 'm.pth')
  beside = {
    'best': np.float64(3.5),
    'epoch': np.int64(3),
    'args': argparse.Namespace(arch='vgg16', lr=0.1),
  }
  torch.save({'state_dict': {'a.weight': torch.ones(2)}, **beside}, path)
  assert list(torch_state.read_torch(path).arrays) == ['a.weight']


def test_half_precision_becomes_float32(tmp_path):
  path = str(tmp_path / 'm.pth')
  torch.save({'a.weight': torch.tensor([1.5], dtype=torch.bfloat16)}, path)
  assert torch_state.read_torch(path).arrays['a.weight'].dtype == np.float32


def test_a_pickled_module_is_refused(tmp_path):
  path = str(tmp_path / 'm.pth')
  torch.save(torch.nn.Linear(1, 1), path)
  with pytest.raises(CheckpointError, match='it holds a torch.nn.modules.linear.Linear object'):
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
