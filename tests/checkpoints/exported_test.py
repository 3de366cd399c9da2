import hashlib

import pytest

from tests.testing import make_contract
from vgg_slim.checkpoints import contract, exported
from vgg_slim.errors import CheckpointError

CATS = make_contract('vgg16', 2, 64, 8, class_names=('cat', 'dog'))


def export(folder, weights, made=CATS):
  """Writes a SavedModel of these weights, without its graph, and its contract."""
  (folder / 'variables').mkdir(parents=True)
  (folder / 'saved_model.pb').write_bytes(b'graph')
  (folder / 'variables' / 'variables.data').write_bytes(weights)
  exported.write(folder, exported.SAVED_MODEL_FILES, made, 'extra')
  return folder


def read(folder):
  return exported.read(folder, exported.SAVED_MODEL_FILES, 'extra')


def test_the_hash_of_a_model_of_one_file_is_that_of_the_file(tmp_path):
  (tmp_path / 'model.onnx').write_bytes(b'network')
  exported.write(tmp_path, exported.ONNX_FILES, CATS)
  found = contract.read_contract(tmp_path / 'contract.json')
  assert found.model_sha256 == hashlib.sha256(b'network').hexdigest()
  assert exported.read(tmp_path, exported.ONNX_FILES) == found
  (tmp_path / 'model.onnx').unlink()
  with pytest.raises(CheckpointError, match=r'^There is no .*/model\.onnx, which the model of '):
    exported.read(tmp_path, exported.ONNX_FILES)


@pytest.mark.parametrize('name', ['model.tflite', 'frozen_graph.pb'])
def test_an_export_in_another_format_is_called_that(tmp_path, name):
  (tmp_path / name).write_bytes(b'network')
  exported.write(tmp_path, (name,), CATS)
  with pytest.raises(CheckpointError) as refused:
    exported.read(tmp_path, exported.ONNX_FILES)
  assert str(refused.value).startswith(
    f'There is no {tmp_path}/model.onnx: {tmp_path} is an export in another format, {name}. '
  )
  assert exported.read(tmp_path, (name,)).class_names == CATS.class_names


def test_a_contract_with_the_model_of_another_network_is_refused(tmp_path):
  one, two = export(tmp_path / 'one', b'1'), export(tmp_path / 'two', b'2')
  assert read(one).class_names == CATS.class_names
  (one / 'notes.txt').write_text('files that are not of the model do not matter')
  read(one)
  (two / 'extra' / 'contract.json').replace(one / 'extra' / 'contract.json')
  with pytest.raises(CheckpointError, match='one, whose SHA-256 differs: put the files of one '):
    read(one)


def test_what_is_missing_of_a_model_is_named(tmp_path):
  folder = export(tmp_path / 'one', b'1')
  (folder / 'variables' / 'variables.data').unlink()
  with pytest.raises(CheckpointError, match=r'^There is no .*/one/variables/\*, which'):
    read(folder)
  (folder / 'saved_model.pb').unlink()
  with pytest.raises(CheckpointError, match=r'/saved_model\.pb and no .*/variables/\*, which'):
    read(folder)


def test_hidden_files_do_not_belong_to_the_model(tmp_path):
  folder = export(tmp_path / 'one', b'1')
  (folder / 'variables' / '.DS_Store').write_bytes(b'of the Finder')
  assert read(folder).class_names == CATS.class_names


def test_contracts_without_a_checksum_are_taken_as_they_are(tmp_path):
  folder = export(tmp_path / 'old', b'1')
  contract.write_contract(folder / 'extra' / 'contract.json', CATS)
  assert read(folder) == CATS
