import dataclasses

import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, pictures
from vgg_slim.errors import CheckpointError
from vgg_slim.export import frozen, reload


def test_one_file_computes_the_same_at_several_sizes(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  frozen.write(prefix, contract, tmp_path)
  run = reload.load_frozen(tmp_path)
  for images in (pictures(1, 32, 32), pictures(2, 64, 40)):
    check_outputs(run(images), expected_outputs(prefix, contract, images))


def test_no_variable_is_left(tmp_path):
  graph_def = frozen.freeze(*make_checkpoint(tmp_path))
  assert not [
    node.name for node in graph_def.node if 'Variable' in node.op or 'VarHandle' in node.op
  ]
  assert [n.name for n in graph_def.node if n.op == 'Placeholder'] == ['images']


def test_plain_operations_alone(tmp_path):
  """No gradient of ours, which other programs do not know, and no shape asked for at run time."""
  prefix, contract = make_checkpoint(tmp_path, pixel_scale=(0.5, 0.4, 0.3))
  graph_def = frozen.freeze(prefix, contract, (1, 32, 32, 3), ('logits',))
  assert [node.name for node in graph_def.node if '_gradient_op_type' in node.attr] == []
  found = [node.op for node in graph_def.node if node.op not in ('Const', 'Identity')]
  assert found[: found.index('Conv2D')] == ['Placeholder', 'Mul', 'AddV2']
  assert {'Shape', 'Tile', 'StridedSlice'} & set(found) == set()


def test_another_network_is_refused(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  with pytest.raises(CheckpointError, match='does not fit the network: .*fc6'):
    frozen.freeze(prefix, dataclasses.replace(contract, fc_units=9))
