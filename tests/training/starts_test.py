import os
import shutil

import pytest

from tests.testing import graph_session
from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.training import starts


@pytest.fixture
def run(tmp_path):
  """A folder with checkpoints at steps 3 and 6."""
  with graph_session() as session:
    step = tf.train.get_or_create_global_step()
    saver = tf.train.Saver()
    for number in (3, 6):
      session.run(step.assign(number))
      saver.save(session, str(tmp_path / 'run' / 'model.ckpt'), step, write_meta_graph=False)
  return tmp_path / 'run'


def test_an_empty_folder_starts_at_step_0(tmp_path):
  assert starts.decide(str(tmp_path)) == starts.Start(None, 0)
  assert starts.decide(str(tmp_path / 'nowhere')) == starts.Start(None, 0)


def test_a_run_resumes_from_its_newest_checkpoint(run):
  start = starts.decide(str(run))
  assert start == starts.Start(str(run / 'model.ckpt-6'), 6)
  assert list(start.lines()) == [f'Resuming from {run}/model.ckpt-6.']


def test_a_damaged_checkpoint_is_named_and_skipped(run):
  os.truncate(run / 'model.ckpt-6.data-00000-of-00001', 0)
  start = starts.decide(str(run))
  assert (start.checkpoint, start.step) == (str(run / 'model.ckpt-3'), 3)
  assert list(start.lines()) == [
    f'{run}/model.ckpt-6 is damaged: its data file has 0 bytes instead of 8. It is removed when '
    'the next checkpoint is saved.',
    f'Resuming from {run}/model.ckpt-3.',
  ]


def test_a_copied_run_uses_its_own_checkpoints(run, tmp_path):
  shutil.copytree(run, tmp_path / 'copy')
  prefixes.remove(str(run / 'model.ckpt-6'))
  assert starts.decide(str(tmp_path / 'copy')).checkpoint == str(tmp_path / 'copy' / 'model.ckpt-6')


def test_a_damaged_run_is_only_started_again_with_overwrite(run):
  for path in run.glob('*.index'):
    path.write_text('garbage')
  with pytest.raises(CheckpointError) as refused:
    starts.decide(str(run))
  message = str(refused.value)
  assert message.startswith(f'{run} holds a run without an intact checkpoint: ')
  assert message.count('is damaged: its index cannot be read') == 2
  assert 'Give --overwrite to remove this run' in message
  assert starts.decide(str(run), overwrite=True) == starts.Start(None, 0)
  assert (run / 'model.ckpt-6.index').exists()  # deciding changes nothing


def test_the_metrics_of_a_run_are_not_overwritten_either(tmp_path):
  (tmp_path / 'metrics.csv').touch()
  with pytest.raises(CheckpointError, match='there is only metrics.csv. Give --overwrite'):
    starts.decide(str(tmp_path))


def test_only_files_that_training_wrote_are_removed(run):
  own = [
    'config.json',
    'metrics.csv',
    'events.out.tfevents.1',
    'model.ckpt-3.json',
    'best/model.ckpt-6.index',
    'best/checkpoint',
    'best/config.json',
    'validation/events.out.tfevents.1',
    'profile/step-3.json',
  ]
  others = [
    'notes.txt',
    'model.pb',
    'model.ckpt-notes.txt',
    'evaluator/x',
    'mine/x',
    'best/mine.txt',
  ]
  others += ['validation/cat/1.png']
  for name in [*own, *others]:
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).touch()
  listed = {str(path.relative_to(run)) for path in starts.list_run_files(str(run))}
  assert listed >= {*own, 'checkpoint', 'model.ckpt-6.index'}
  starts.remove_run(str(run))
  left = {str(path.relative_to(run)) for path in run.rglob('*') if path.is_file()}
  assert left == set(others)
  assert not (run / 'profile').exists()


def test_nothing_is_removed_where_there_is_no_run(tmp_path):
  for name in ('config.json', 'validation/events.out.tfevents.1', 'best/config.json'):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
  assert starts.list_run_files(str(tmp_path)) == []


def test_the_best_checkpoint_of_a_run_is_not_trained_in_place(tmp_path):
  best = tmp_path / 'best'
  best.mkdir()
  starts.check_is_not_best_folder(str(best))
  (tmp_path / 'config.json').touch()
  with pytest.raises(CheckpointError, match='--checkpoint_path=.*best with another --train_dir'):
    starts.check_is_not_best_folder(str(best))
