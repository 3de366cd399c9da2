import dataclasses

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.training.graph_test import a_manifest
from vgg_slim.commands import run_plan
from vgg_slim.commands import train as _  # noqa: F401  (defines every flag)
from vgg_slim.configs import config
from vgg_slim.data import manifest as manifests
from vgg_slim.data.conversion import default_data
from vgg_slim.errors import CheckpointError, DataError, OutputError


@pytest.fixture
def manifest(tmp_path, monkeypatch):
  """Manifest of the data set in the folder `data`, without its files."""
  monkeypatch.chdir(tmp_path)
  made = a_manifest()
  monkeypatch.setattr(manifests, 'read_manifest', lambda folder: made)
  return made


def plan(*arguments, data_dir='data', train_dir=None):
  with flagsaver.flagsaver():
    flags.FLAGS(['test', *arguments])
    return run_plan.plan_run(data_dir, train_dir)


def begin(tmp_path, *arguments, train_dir='run', **changes):
  """Creates a run that has a checkpoint; returns its config."""
  begun = dataclasses.replace(plan(*arguments, train_dir='none').config, **changes)
  folder = tmp_path / train_dir
  folder.mkdir(parents=True)
  config.write_train_config(str(folder), begun)
  (folder / 'model.ckpt-1.index').touch()
  return begun


def test_a_new_run_is_named_after_data_and_network(manifest, tmp_path):
  new = plan('--model=vgg11')
  assert (new.train_dir, new.is_resumed) == ('runs/data_vgg11', False)
  assert new.config.data_dir == str(tmp_path / 'data')


def test_a_run_is_resumed_with_its_settings(manifest, tmp_path):
  flagged = ('--model=vgg11', '--momentum=0.5', '--trainable_scopes=head', '--epochs=3')
  begun = begin(tmp_path, *flagged)
  (tmp_path / 'data').mkdir()
  for resumed in (plan(train_dir='run', data_dir=None), plan(*flagged, train_dir='run')):
    assert resumed == run_plan.RunPlan(begun, manifest, 'run', (), is_resumed=True)


def test_a_run_in_the_default_folder_is_resumed(manifest, tmp_path):
  folder = 'runs/data_vgg11'
  begun = begin(tmp_path, '--model=vgg11', '--seed=5', train_dir=folder)
  resumed = plan('--model=vgg11')
  assert (resumed.config, resumed.train_dir) == (begun, folder)


def test_data_sets_of_one_kind_have_runs_of_their_own(manifest, tmp_path):
  assert plan('--model=vgg11', data_dir='data/pets/').train_dir == 'runs/pets_vgg11'
  assert plan('--model=vgg11', data_dir='data/birds').train_dir == 'runs/birds_vgg11'


def test_a_folder_that_tensorflow_would_take_for_a_pattern_is_refused_and_never_the_default(
  manifest, tmp_path
):
  with pytest.raises(OutputError, match=r'^--train_dir=new \[3\]: TensorFlow takes \[3\] for'):
    plan('--model=vgg11', train_dir='new [3]')
  assert plan('--model=vgg11', data_dir='data/pets [1]').train_dir == 'runs/pets 1_vgg11'
  assert plan('--model=vgg11', data_dir='data/[[]').train_dir == f'runs/{manifest.dataset}_vgg11'


@pytest.mark.parametrize('phase', ['', '/1_head'])
def test_a_run_named_after_the_kind_of_its_data_set_is_found(manifest, tmp_path, phase):
  before = f'runs/{manifest.dataset}_vgg11'
  begin(tmp_path, '--model=vgg11', train_dir=before + phase)
  assert plan('--model=vgg11').train_dir == before
  (tmp_path / 'runs/data_vgg11').mkdir()
  assert plan('--model=vgg11').train_dir == 'runs/data_vgg11'


def test_a_run_named_after_the_kind_of_another_data_set_is_left_alone(manifest, tmp_path):
  before = f'runs/{manifest.dataset}_vgg11'
  begin(tmp_path, '--model=vgg11', train_dir=before, data_fingerprint='of another')
  assert plan('--model=vgg11').train_dir == 'runs/data_vgg11'


def test_flags_are_compared_with_the_settings_of_the_run(manifest, tmp_path):
  begin(tmp_path, '--model=vgg11', '--featurewise_std', '--trainable_scopes=head')
  with pytest.raises(CheckpointError) as error:
    plan('--model=vgg16', '--pixel_scale=1', '--trainable_scopes=vgg_11', train_dir='run')
  for name in ('net.model', 'preprocessing.pixel_scale', 'fine_tune.trainable_scopes'):
    assert f'{name} was ' in str(error.value)


def test_epochs_replace_the_last_step_of_the_run(manifest, tmp_path):
  begin(tmp_path, '--max_steps=6')
  assert plan('--epochs=9', train_dir='run').config.run.max_steps is None
  assert plan('--epochs=9', '--max_steps=7', train_dir='run').config.run.max_steps == 7


def test_another_data_set_is_refused(manifest, tmp_path):
  begin(tmp_path, data_fingerprint='of another')
  with pytest.raises(CheckpointError, match='was started on a data set with other images') as error:
    plan(train_dir='run')
  assert ' has now. Give another --train_dir for a new run (with --checkpoint_path=run ' in str(
    error.value
  )


def test_an_error_names_a_data_set_that_was_moved(manifest, tmp_path):
  begin(tmp_path)
  with pytest.raises(DataError, match='run was trained on .*/data, which does not exist'):
    plan(train_dir='run', data_dir=None)


def test_missing_digits_are_created_again(manifest, tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  digits = tmp_path / 'vgg_slim' / f'digits-v{manifests.FORMAT_VERSION}'
  monkeypatch.setattr(default_data, 'digits_folder', lambda cache: digits)
  begin(tmp_path, data_dir=str(digits))
  assert plan(train_dir='run', data_dir=None).config.data_dir == str(digits)


def test_a_new_run_ignores_the_run_in_its_folder(manifest, tmp_path):
  begin(tmp_path, '--seed=5')
  with flagsaver.flagsaver():
    flags.FLAGS(['test', '--seed=6'])
    assert run_plan.plan_new_run('data', 'run').config.run.seed == 6


def test_class_weights_are_kept_or_changed_when_a_run_is_resumed(manifest, tmp_path, monkeypatch):
  uneven = dataclasses.replace(manifest, splits={'train': manifests.Split(40, (30, 10), ())})
  monkeypatch.setattr(manifests, 'read_manifest', lambda folder: uneven)
  begun = begin(tmp_path, '--class_weights=1,3')
  (tmp_path / 'data').mkdir()
  weights = begun.optimizer.class_weights
  assert weights[1] == pytest.approx(3 * weights[0])
  for given, expected in (
    ([], weights),
    (['--class_weights=1,3'], weights),
    (['--class_weights='], ()),
  ):
    resumed = plan(*given, train_dir='run', data_dir=None)
    assert resumed.config.optimizer.class_weights == expected
