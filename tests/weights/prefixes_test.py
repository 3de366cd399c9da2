import numpy as np

from tests.weights.fabricated import save_checkpoint
from vgg_slim.compat import tf
from vgg_slim.weights import prefixes

ARRAYS = {'vgg_16/fc8/biases': np.ones(3, 'f')}


def test_any_of_its_files_means_the_checkpoint(tmp_path):
  prefix = str(tmp_path / 'model.ckpt-12')
  save_checkpoint(prefix, ARRAYS)
  names = [file.name for file in prefixes.list_files(prefix)]
  assert names == ['model.ckpt-12.data-00000-of-00001', 'model.ckpt-12.index']
  for path in (prefix, f'{prefix}.index', f'{prefix}.data-00000-of-00001'):
    assert prefixes.find_prefix(path) == prefix
  assert prefixes.find_prefix(str(tmp_path / 'model.ckpt-1')) is None


def test_a_train_dir_means_its_newest(tmp_path):
  assert prefixes.find_prefix(str(tmp_path)) is None
  for step in (1, 2):
    save_checkpoint(tmp_path / f'model.ckpt-{step}', ARRAYS)
  tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / 'model.ckpt-2'))
  assert prefixes.find_prefix(str(tmp_path)) == str(tmp_path / 'model.ckpt-2')


def test_a_moved_train_dir_has_its_newest_still(tmp_path):
  before, after = tmp_path / 'before', tmp_path / 'after'
  save_checkpoint(before / 'model.ckpt-1', ARRAYS)
  tf.train.update_checkpoint_state(str(before), str(before / 'model.ckpt-1'))
  before.rename(after)
  assert prefixes.newest(str(after)) == str(after / 'model.ckpt-1')


def test_a_state_file_without_its_checkpoint_means_none(tmp_path):
  tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / 'model.ckpt-1'))
  assert prefixes.newest(str(tmp_path)) is None


def test_the_kept_ones_come_oldest_first_without_those_that_are_gone(tmp_path):
  assert prefixes.kept(str(tmp_path)) == []
  paths = [str(tmp_path / f'model.ckpt-{step}') for step in (8, 9, 10)]
  for path in paths[1:]:
    save_checkpoint(path, ARRAYS)
  tf.train.update_checkpoint_state(str(tmp_path), paths[-1], all_model_checkpoint_paths=paths)
  assert prefixes.kept(str(tmp_path)) == paths[1:]
