import os
import re

import numpy as np
import pytest

from tests.testing import graph_session, train_config
from tests.training.graph_test import a_manifest
from vgg_slim import files
from vgg_slim.checkpoints import contract, prefixes, search
from vgg_slim.compat import tf
from vgg_slim.errors import TrainingError
from vgg_slim.training.hooks.checkpointing import Checkpointer
from vgg_slim.training.hooks.host_state import HostState
from vgg_slim.training.starts import Start

CONFIG = train_config('data', a_manifest(), keep_checkpoints=2)
NEW = Start(None, 0)


def save(folder, *steps, start=NEW, weights=1.0, config=CONFIG):
  """Saves checkpoints as a new process would, and returns their prefixes."""
  with graph_session() as session:
    tf.train.get_or_create_global_step()
    tf.get_variable('weights', initializer=np.float32([weights, 1.0]))
    HostState('best', best=-np.inf)
    checkpointer = Checkpointer(config, str(folder), start)
    session.run(tf.global_variables_initializer())
    return [checkpointer.save(session, step) for step in steps]


def steps_of(folder, ending):
  return sorted(int(path.stem.partition('-')[2]) for path in folder.glob(f'model.ckpt-*.{ending}'))


def test_the_newest_are_kept_with_their_contracts_across_processes(tmp_path):
  for steps in ((9, 10), (11,)):
    saved = save(tmp_path, *steps)
  assert saved == [str(tmp_path / 'model.ckpt-11')]
  assert steps_of(tmp_path, 'index') == steps_of(tmp_path, 'json') == [10, 11]
  assert prefixes.kept(str(tmp_path)) == [str(tmp_path / f'model.ckpt-{step}') for step in (10, 11)]
  assert {path.name.partition('.')[0] for path in tmp_path.iterdir()} == {'checkpoint', 'model'}


def test_nothing_outside_the_folder_is_removed(tmp_path):
  """Not even if the state file of a copied run holds absolute paths to the original run."""
  original, copy = tmp_path / 'a', tmp_path / 'b'
  for folder in (original, copy):
    folder.mkdir()
  save(original, 1, 2)
  for folder in (original, copy):
    for path in original.glob('model.ckpt-*'):
      (copy / path.name).write_bytes(path.read_bytes())
    paths = [str(original / f'model.ckpt-{step}') for step in (1, 2)]
    tf.train.update_checkpoint_state(str(folder), paths[-1], all_model_checkpoint_paths=paths)
  save(copy, 3)
  assert steps_of(original, 'index') == [1, 2]
  assert steps_of(copy, 'index') == [2, 3]
  assert str(tmp_path) not in (copy / 'checkpoint').read_text()


def test_the_state_file_is_written_after_everything_else_is_synced(tmp_path, monkeypatch):
  synced, listed = [], []
  sync, write_state = files.sync, prefixes.write_state

  def recorded_sync(path):
    synced.append(path.name)
    sync(path)

  def recorded_write_state(folder, names):
    listed.append((list(names), [*synced]))
    write_state(folder, names)

  monkeypatch.setattr(files, 'sync', recorded_sync)
  monkeypatch.setattr(prefixes, 'write_state', recorded_write_state)
  save(tmp_path, 1)
  ((names, before),) = listed
  assert names == ['model.ckpt-1']
  # The contract's temporary file is synced before it is renamed, and then the folder is.
  data = 'model.ckpt-1.data-00000-of-00001'
  assert before == [tmp_path.name, data, 'model.ckpt-1.index', tmp_path.name]
  assert synced[len(before) :] == [tmp_path.name]


def test_damaged_checkpoints_are_removed_when_the_next_one_is_saved(tmp_path):
  save(tmp_path, 1, 2)
  os.truncate(tmp_path / 'model.ckpt-2.data-00000-of-00001', 0)
  result = search.search(str(tmp_path))
  start = Start(result.newest, 1, result.skipped)
  save(tmp_path, start=start)
  assert steps_of(tmp_path, 'index') == [1, 2]  # nothing has been saved yet
  save(tmp_path, 4, start=start)
  assert steps_of(tmp_path, 'index') == [1, 4]
  assert search.search(str(tmp_path)).skipped == ()


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_variables_that_are_not_finite_are_not_saved(tmp_path, bad):
  save(tmp_path, 3)
  with pytest.raises(TrainingError) as refused:
    save(tmp_path, 4, weights=bad)
  assert re.match(
    'After step 4 these variables are not finite: weights. They were', str(refused.value)
  )
  assert str(refused.value).endswith(f'The newest checkpoint is {tmp_path}/model.ckpt-3.')
  assert steps_of(tmp_path, 'index') == steps_of(tmp_path, 'json') == [3]


def test_a_full_disk_leaves_the_earlier_checkpoints(tmp_path, monkeypatch):
  save(tmp_path, 3)

  def full(path):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(files, 'sync', full)
  with pytest.raises(
    TrainingError, match=r'ckpt-4 cannot be written: .*No space.*newest .*ckpt-3\.'
  ):
    save(tmp_path, 4)
  monkeypatch.undo()
  assert steps_of(tmp_path, 'index') == steps_of(tmp_path, 'json') == [3]
  assert not [path for path in tmp_path.iterdir() if 'temp' in path.name or 'tmp' in path.name]


def test_tensorflow_s_message_of_a_full_disk_is_its_reason(tmp_path, monkeypatch):
  def fail(*arguments, **options):
    raise tf.errors.ResourceExhaustedError(
      None, None, 'Graph execution error:\n\n/r/m.tempstate7; No space left\n\t [[{{node save}}]]'
    )

  monkeypatch.setattr(tf.train.Saver, 'save', fail)
  with pytest.raises(TrainingError, match=r'ckpt-4 cannot be written: No space left\. No check'):
    save(tmp_path, 4)


@pytest.mark.parametrize(
  ('error', 'raised'),
  [
    (tf.errors.UnavailableError(None, None, 'lost'), tf.errors.UnavailableError),
    (OSError(28, 'No space left'), TrainingError),
  ],
)
def test_a_lost_worker_is_not_taken_for_a_full_disk(tmp_path, monkeypatch, error, raised):
  def fail(*arguments):
    raise error

  monkeypatch.setattr(Checkpointer, '_write', fail)
  with pytest.raises(TrainingError, match='cannot be written'):
    save(tmp_path, 1)  # alone
  strategy = tf.distribute.MirroredStrategy(['/cpu:0'])
  with graph_session() as session, strategy.scope():
    tf.train.get_or_create_global_step()
    checkpointer = Checkpointer(CONFIG, str(tmp_path), NEW)
    session.run(tf.global_variables_initializer())
    with pytest.raises(raised):
      checkpointer.save(session, 1)


def test_damaged_contracts_are_repaired(tmp_path):
  first, second = save(tmp_path, 1, 2)
  contract.contract_path(first).write_text('{')
  contract.contract_path(second).unlink()
  with graph_session():
    tf.train.get_or_create_global_step()
    Checkpointer(CONFIG, str(tmp_path), Start(second, 2)).repair()
  for prefix in (first, second):
    repaired = contract.read_contract(contract.contract_path(prefix))
    assert repaired == contract.from_train_config(CONFIG)


@pytest.mark.parametrize('state', ['without the newest', 'garbage', None])
def test_a_saved_checkpoint_that_is_not_listed_gets_listed(tmp_path, state):
  """A process can be killed between the two, and a run that has ended saves no other."""
  save(tmp_path, 1)
  listing = tmp_path / 'checkpoint'
  before = listing.read_text()
  first, (second,) = f'{tmp_path}/model.ckpt-1', save(tmp_path, 2)
  if state is None:
    listing.unlink()
  else:
    listing.write_text(before if state == 'without the newest' else '\0garbage')
  with graph_session():
    tf.train.get_or_create_global_step()
    Checkpointer(CONFIG, str(tmp_path), Start(second, 2)).repair()
  assert prefixes.kept(str(tmp_path)) == [first, second]
  assert tf.train.latest_checkpoint(str(tmp_path)) == second


@pytest.mark.parametrize(
  ('saved', 'step', 'advice'),
  [
    (
      (),
      0,
      '^Give a lower .*: the same command, without --overwrite, .*. No checkpoint has been saved.*',
    ),
    (
      (2, 3),
      4,
      '^Give a lower .*: the same command, without .*, then res.*. The newest .* model.ckpt-3.',
    ),
    ((2, 3), 3, r'remove \S+model.ckpt-3\.\* and give a lower .* resumes from \S+model.ckpt-2.'),
    ((3,), 3, 'is the only checkpoint: start again with --overwrite and a lower --learning_rate'),
    ((2, 13), 3, '^Give a lower .* model.ckpt-13.'),
  ],
)
def test_the_advice_after_a_loss_that_is_not_finite(tmp_path, saved, step, advice):
  save(tmp_path, *saved)
  with graph_session():
    tf.train.get_or_create_global_step()
    text = Checkpointer(CONFIG, str(tmp_path), NEW).describe_recovery(step)
  assert re.search(advice.replace(' model', r' \S*model'), text), text
