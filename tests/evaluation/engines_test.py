import numpy as np
import pytest

from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.evaluation import engines


def make_model(path, names=('images', 'probabilities')):
  """An ONNX file that averages pixels and scales the three means."""
  onnx = pytest.importorskip('onnx', reason='onnx, an extra, is not installed')
  helper, numbers = onnx.helper, onnx.TensorProto.FLOAT
  source, target = names
  graph = helper.make_graph(
    [
      helper.make_node('ReduceMean', [source], ['means'], axes=[1, 2], keepdims=0),
      helper.make_node('Mul', ['means', 'factor'], [target]),
    ],
    'graph',
    [helper.make_tensor_value_info(source, numbers, ['n', 'h', 'w', 3])],
    [helper.make_tensor_value_info(target, numbers, ['n', 3])],
    [helper.make_tensor('factor', numbers, [], [2.0])],
  )
  model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
  onnx.save(model, path)
  return str(path)


@pytest.mark.parametrize('engine', engines.ENGINES)
def test_an_engine_runs_batches_of_any_size(tmp_path, engine):
  pytest.importorskip(engine, reason=f'{engine}, an extra, is not installed')
  run = engines.open_network(engine, make_model(tmp_path / 'm.onnx'))
  kept = []
  for shape in ((1, 4, 5, 3), (3, 7, 2, 3), (1, 4, 5, 3)):
    batch = np.random.default_rng(len(kept)).random(shape).astype(np.float32)
    kept.append((run(batch), 2 * batch.mean((1, 2))))
  for found, expected in kept:  # at the end, so that no result is a buffer that is used again
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize('engine', engines.ENGINES)
def test_files_that_are_refused(tmp_path, engine):
  pytest.importorskip(engine, reason=f'{engine}, an extra, is not installed')
  with pytest.raises(CheckpointError, match='does not exist; tools/export_model --format=onnx'):
    engines.open_network(engine, str(tmp_path / 'none.onnx'))
  (tmp_path / 'damaged.onnx').write_bytes(b'x' * 100)
  with pytest.raises(CheckpointError, match=f'{engine} cannot read .*damaged.onnx: .') as caught:
    engines.open_network(engine, str(tmp_path / 'damaged.onnx'))
  assert '\n' not in str(caught.value)
  path = make_model(tmp_path / 'm.onnx', ('images', 'features'))
  with pytest.raises(CheckpointError, match='takes images and gives features; expected images'):
    engines.open_network(engine, path)


def test_a_package_that_is_not_installed(monkeypatch):
  monkeypatch.setattr(engines.importlib.util, 'find_spec', lambda name: None)
  for engine in engines.ENGINES:
    with pytest.raises(ConfigError, match=f'--engine={engine} needs .*: pip install {engine}$'):
      engines.check_installed(engine)
