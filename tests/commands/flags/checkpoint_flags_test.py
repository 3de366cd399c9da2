import contextlib
import os

import numpy as np
import pytest

from tests.weights.fabricated import save_checkpoint
from vgg_slim.checkpoints import prefixes
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import pretrained

ARRAYS = {'a/weights': np.ones([3, 4], 'f')}


@pytest.fixture
def folder(tmp_path):
  for step in (3, 6):
    save_checkpoint(tmp_path / f'model.ckpt-{step}', ARRAYS)
  return tmp_path


def test_a_folder_stands_for_its_newest_intact_checkpoint(folder, caplog):
  assert checkpoint_flags.resolve(str(folder)) == str(folder / 'model.ckpt-6')
  assert not caplog.messages
  os.truncate(folder / 'model.ckpt-6.data-00000-of-00001', 8)
  assert checkpoint_flags.resolve(str(folder)) == str(folder / 'model.ckpt-3')
  (warning,) = caplog.messages
  assert warning.startswith(f'{folder}/model.ckpt-6 is damaged: its data file has 8 bytes instead')
  assert warning.endswith(f'. Using {folder}/model.ckpt-3 instead.')
  prefixes.remove(str(folder / 'model.ckpt-3'))
  with pytest.raises(CheckpointError, match='holds no intact checkpoint: .*model.ckpt-6'):
    checkpoint_flags.resolve(str(folder))


def test_prefixes_files_and_unknown_paths_resolve(folder):
  prefix = str(folder / 'model.ckpt-3')
  assert checkpoint_flags.resolve(f'{prefix}.index') == prefix
  assert checkpoint_flags.resolve(prefix) == prefix
  assert checkpoint_flags.resolve('nowhere') == 'nowhere'


def test_a_file_of_weights_is_not_said_to_be_downloaded(tmp_path, monkeypatch):
  shown = []

  @contextlib.contextmanager
  def show(description, unit):
    shown.append(description)
    yield lambda done, total: None

  monkeypatch.setattr(checkpoint_flags.progress, 'show', show)
  monkeypatch.setattr(checkpoint_flags, 'weights_dir', lambda: tmp_path)
  monkeypatch.setattr(checkpoint_flags.invocation, 'load_tensorflow', lambda: None)
  monkeypatch.setattr(pretrained, 'prepare', lambda *arguments: 'prefix')
  path = tmp_path / 'tumor.onnx'
  path.write_bytes(b'onnx')
  for weights in (str(path), 'imagenet'):
    assert checkpoint_flags.prepare_weights(weights, 'vgg16', False) == 'prefix'
  assert shown == ['Importing', 'Downloading']
