import json
import sys

import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, random_images
from vgg_slim.checkpoints.contract import ONNX_FILE
from vgg_slim.errors import ConfigError
from vgg_slim.export import onnx_model, reload
from vgg_slim.weights import onnx_model as onnx_weights


@pytest.mark.parametrize('model', ['vgg_a@4', 'resnet50@4'])
def test_an_onnx_model_takes_any_size_and_holds_the_contract(tmp_path, model):
  onnx = pytest.importorskip('onnx', reason='onnx, an extra, is not installed')
  pytest.importorskip('onnxruntime', reason='onnxruntime, an extra, is not installed')
  pytest.importorskip('tf2onnx', reason='tf2onnx, an extra, is not installed')
  prefix, contract = make_checkpoint(tmp_path, model=model)
  onnx_model.write(prefix, contract, tmp_path)
  run = reload.load_onnx(tmp_path)
  for images in (random_images(1, 40, 64), random_images(2, 64, 64)):
    got = run(images.astype('f'))
    check_outputs(got, expected_outputs(prefix, contract, images))
  graph = onnx.load(tmp_path / ONNX_FILE).graph
  assert axes(graph.input) == {'images': ['batch', 'height', 'width', 3]}
  assert axes(graph.output) == {
    'class_score_map': ['batch', 'map_height', 'map_width', 3],
    'logits': ['batch', 3],
    'probabilities': ['batch', 3],
    'classes': ['batch'],
  }
  operations = [node.op_type for node in graph.node]
  assert set(operations[: operations.index('Conv')]) <= {'Mul', 'Add', 'Transpose', 'Pad'}
  metadata = onnx.load(tmp_path / ONNX_FILE).metadata_props
  (written,) = [json.loads(m.value) for m in metadata if m.key == onnx_model.CONTRACT_KEY]
  assert (written['model'], written['class_names']) == (model, ['a', 'b', 'c'])
  assert onnx_weights.find_taps(str(tmp_path / ONNX_FILE)).images == 'images'


def axes(tensors):
  return {
    tensor.name: [d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim]
    for tensor in tensors
  }


def test_the_converter_which_copies_its_graph_many_times_never_sees_a_kernel(tmp_path, monkeypatch):
  pytest.importorskip('onnx', reason='onnx, an extra, is not installed')
  pytest.importorskip('onnxruntime', reason='onnxruntime, an extra, is not installed')
  tf2onnx = pytest.importorskip('tf2onnx', reason='tf2onnx, an extra, is not installed')
  convert, given = tf2onnx.convert.from_graph_def, []

  def record(graph, **options):
    given.append(graph)
    return convert(graph, **options)

  monkeypatch.setattr(tf2onnx.convert, 'from_graph_def', record)
  prefix, contract = make_checkpoint(tmp_path)
  onnx_model.write(prefix, contract, tmp_path)
  constants = [node.attr['value'].tensor for node in given[0].node if node.op == 'Const']
  assert constants
  assert all(len(tensor.tensor_shape.dim) < 4 for tensor in constants)


def test_all_missing_packages_are_named(monkeypatch):
  for name in ('onnx', 'tf2onnx', 'onnxruntime'):
    monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(ConfigError, match='not installed: pip install onnx onnxruntime tf2onnx$'):
    onnx_model.check_installed()
