import dataclasses
import shutil

import pytest

from tests.testing import make_contract, make_data_set, replace, train_config
from vgg_slim.checkpoints import contract
from vgg_slim.configs.config import write_train_config
from vgg_slim.errors import CheckpointError, DataError
from vgg_slim.evaluation.candidates import find_candidate


@pytest.fixture
def run(tmp_path):
  """Configuration of a run whose train_dir has the index file of one checkpoint."""
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=4)
  config = train_config(data_dir, manifest)
  (tmp_path / 'run').mkdir()
  write_train_config(tmp_path / 'run', config)
  (tmp_path / 'run' / 'model.ckpt-2.index').touch()
  (tmp_path / 'run' / 'checkpoint').write_text('model_checkpoint_path: "model.ckpt-2"\n')
  return config


@pytest.mark.parametrize('path', ['run', 'run/model.ckpt-2'])
def test_the_checkpoint_of_a_training_run(tmp_path, run, path):
  candidate = find_candidate(str(tmp_path / path))
  assert candidate.checkpoint == str(tmp_path / 'run' / 'model.ckpt-2')
  assert (candidate.net, candidate.preprocessing) == (run.net, run.preprocessing)
  assert (candidate.class_names, candidate.data_dir) == (run.class_names, run.data_dir)
  assert (candidate.train_dir, candidate.find_data()) == (str(tmp_path / 'run'), run.data_dir)
  shutil.rmtree(run.data_dir)
  with pytest.raises(DataError, match='The run in .*/run was trained on .*/data, which does not'):
    candidate.find_data()


def write_imported(folder, **fields):
  values = {'model': 'vgg_a', 'num_classes': 2, 'image_size': 64, 'fc_units': 8, **fields}
  described = make_contract(**values)
  (folder / 'w.index').touch()
  contract.write_contract(contract.contract_path(str(folder / 'w')), described)
  return described


def test_an_imported_checkpoint(tmp_path):
  described = write_imported(tmp_path, pixel_scale=0.5, rgb_mean=(1.0, 2.0, 3.0), head='fc256')
  candidate = find_candidate(str(tmp_path / 'w'))
  net = candidate.net
  assert (net.model, net.head, net.image_size) == ('vgg_a', 'fc256', 64)
  assert (candidate.preprocessing.rgb_mean, candidate.preprocessing.pixel_scale) == ((1, 2, 3), 0.5)
  assert candidate.test_scale == described.preprocessing.test_scale == 64
  assert (candidate.class_names, candidate.data_dir) == (None, None)
  assert candidate.find_data() is None


@pytest.mark.parametrize('mirrored', [True, False])
def test_a_checkpoint_without_its_run_tells_whether_training_mirrored_images(
  tmp_path, run, mirrored
):
  preprocessing = dataclasses.replace(run.preprocessing, random_flip=mirrored)
  made = contract.from_train_config(dataclasses.replace(run, preprocessing=preprocessing))
  (tmp_path / 'w.index').touch()
  contract.write_contract(contract.contract_path(str(tmp_path / 'w')), made)
  assert find_candidate(str(tmp_path / 'w')).preprocessing.random_flip == mirrored


def test_the_contract_decides_how_images_are_resized(tmp_path, run):
  """As in prediction and exports; the configuration of a 0.1 run does not record it."""
  described = contract.from_train_config(run)
  assert run.preprocessing.resize_filter != 'bilinear'
  path = contract.contract_path(str(tmp_path / 'run' / 'model.ckpt-2'))
  contract.write_contract(path, replace(described, resize_filter='bilinear', stored_side=99))
  candidate = find_candidate(str(tmp_path / 'run')).preprocessing
  assert (candidate.resize_filter, candidate.stored_side) == ('bilinear', 99)


def test_a_trunk_without_a_head_is_refused(tmp_path):
  write_imported(tmp_path, num_classes=None, fc_units=None)
  with pytest.raises(CheckpointError, match='w has no head'):
    find_candidate(str(tmp_path / 'w'))


def test_a_checkpoint_with_other_preprocessing_than_the_run_is_refused(tmp_path, run):
  write_imported(tmp_path, pixel_scale=0.5, rgb_mean=run.preprocessing.rgb_mean)
  with pytest.raises(CheckpointError, match='expects other pixel values: pixel_scale 0.5'):
    find_candidate(str(tmp_path / 'w'), str(tmp_path / 'run'))


def test_a_folder_without_a_run_or_checkpoint_is_refused(tmp_path):
  with pytest.raises(CheckpointError, match='is not a train_dir: it has no config.json'):
    find_candidate(str(tmp_path), str(tmp_path))
  with pytest.raises(CheckpointError, match='holds no checkpoint'):
    find_candidate(str(tmp_path))


def test_a_checkpoint_with_other_class_names_than_the_run_is_refused(tmp_path, run):
  described = replace(contract.from_train_config(run), class_names=('x', 'y'))
  contract.write_contract(tmp_path / 'run' / 'model.ckpt-2.json', described)
  with pytest.raises(CheckpointError, match="0 is 'x', here 'class_0'"):
    find_candidate(str(tmp_path / 'run'))


def test_the_test_scale_is_that_of_the_contract(tmp_path, run):
  described = replace(contract.from_train_config(run), test_scale=96)
  contract.write_contract(tmp_path / 'run' / 'model.ckpt-2.json', described)
  assert find_candidate(str(tmp_path / 'run')).test_scale == 96
  write_imported(tmp_path, test_scale=70)  # not a default: these are multiples of 32
  assert find_candidate(str(tmp_path / 'w')).test_scale == 70
