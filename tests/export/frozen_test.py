import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, random_images
from tests.testing import replace
from vgg_slim.checkpoints import restore
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.export import exporter, frozen, reload
from vgg_slim.export.request import ExportRequest


def test_a_frozen_graph_gives_the_same_outputs_at_several_sizes(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  frozen.write(prefix, contract, tmp_path)
  run = reload.load_frozen(tmp_path)
  for images in (random_images(1, 32, 32), random_images(2, 64, 40)):
    check_outputs(run(images), expected_outputs(prefix, contract, images))


def test_a_frozen_graph_holds_no_variables(tmp_path):
  graph_def = frozen.freeze(*make_checkpoint(tmp_path))
  assert not [
    node.name for node in graph_def.node if 'Variable' in node.op or 'VarHandle' in node.op
  ]
  assert [n.name for n in graph_def.node if n.op == 'Placeholder'] == ['images']


def test_a_frozen_graph_holds_plain_operations_only(tmp_path):
  """It holds no custom gradients, which other programs lack, and computes no shapes at run time."""
  prefix, contract = make_checkpoint(tmp_path, pixel_scale=(0.5, 0.4, 0.3))
  graph_def = frozen.freeze(prefix, contract, (1, 32, 32, 3), ('logits',))
  assert [node.name for node in graph_def.node if '_gradient_op_type' in node.attr] == []
  operations = [node.op for node in graph_def.node if node.op not in ('Const', 'Identity')]
  assert operations[: operations.index('Conv2D')] == ['Placeholder', 'Mul', 'AddV2']
  assert {'Shape', 'Tile', 'StridedSlice'} & set(operations) == set()


def test_a_checkpoint_of_a_different_network_is_refused(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  with pytest.raises(CheckpointError, match='does not fit the network: .*fc6'):
    frozen.freeze(prefix, replace(contract, fc_units=9))


@pytest.mark.parametrize('kind', ['frozen', 'onnx', 'tflite'])
def test_more_weights_than_a_file_holds_are_refused_before_they_are_read(
  tmp_path, monkeypatch, kind
):
  make_checkpoint(tmp_path)
  monkeypatch.setattr(frozen, 'MOST_BYTES', 10 * 1024)
  monkeypatch.setattr(restore, 'restore', None)
  wanted = ExportRequest(str(tmp_path / 'm'), kind, str(tmp_path / 'out'))
  with pytest.raises(ConfigError, match='KiB, and .* at most 10.0 KiB: export with --format=saved'):
    exporter.run_export(wanted, str)
  assert not (tmp_path / 'out').exists()
