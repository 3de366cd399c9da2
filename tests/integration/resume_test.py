"""Runs that are resumed with other flags, or few; each command runs in its own process."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.testing import make_data_set
from vgg_slim.compat import tf
from vgg_slim.configs import config

ROOT = pathlib.Path(__file__).parents[2]
NETWORK = ('--model=vgg_a@8', '--fc_units=8', '--batch_size=6', '--initializer=he')
QUIET = ('--log_every_steps=100', '--image_summary_every_steps=0')


def train(folder, *arguments):
  """Runs tools/train in `folder`; returns the finished process with its output."""
  return subprocess.run(
    [sys.executable, '-m', 'vgg_slim.commands.train', *arguments],
    cwd=folder,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)},
    capture_output=True,
    text=True,
    timeout=300,
  )


def trained(folder, *arguments):
  done = train(folder, *arguments)
  assert done.returncode == 0, done.stdout + done.stderr
  return done.stdout


def refused(folder, *arguments):
  done = train(folder, *arguments)
  assert done.returncode == 1, done.stdout + done.stderr
  assert done.stderr.count('\n') == 1, done.stderr
  return done.stderr


@pytest.fixture
def folder(tmp_path):
  make_data_set(tmp_path / 'data', per_class=16)  # 24 training images: epochs of 4 steps
  return tmp_path


def final_values(prefix):
  reader = tf.train.load_checkpoint(str(prefix))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_fine_tuning_is_resumed_after_its_source_changed_or_was_removed(folder):
  source = ('--data_dir=data', '--train_dir=source', *NETWORK, *QUIET)
  trained(folder, *source, '--max_steps=2')
  fine = ('--data_dir=data', *QUIET, '--batch_size=6', '--checkpoint_path=source')
  # A schedule that does not depend on the length of the run, which the commands change.
  schedule = '--learning_rate_decay_type=fixed'
  tuned = ('--trainable_scopes=head', '--momentum=0.5', schedule)
  trained(folder, *fine, *tuned, '--train_dir=tuned', '--max_steps=2')
  trained(folder, *fine, *tuned, '--train_dir=whole', '--max_steps=8')
  trained(folder, *source, '--max_steps=4')  # so that its newest checkpoint changes

  output = trained(folder, *fine, *tuned, '--train_dir=tuned', '--max_steps=4')
  assert 'Resuming from tuned/model.ckpt-2.' in output
  assert "now 'source/model.ckpt-4': a resumed run continues from its own" in output
  fine = (*fine[:-1], f'--checkpoint_path={folder / "source"}')
  trained(folder, *fine, '--train_dir=tuned', '--max_steps=6')
  shutil.rmtree(folder / 'source')
  output = trained(folder, '--train_dir=tuned', '--max_steps=8')
  assert 'run.max_steps was 6, now 8: the run ends there' in output
  begun = config.read_train_config(str(folder / 'tuned'))
  assert begun.fine_tune.checkpoint_path == 'source/model.ckpt-2'
  assert begun.optimizer.momentum == 0.5
  whole, tuned = (final_values(folder / run / 'model.ckpt-8') for run in ('whole', 'tuned'))
  for name, value in whole.items():
    np.testing.assert_array_equal(tuned[name], value, err_msg=name)


def test_flags_that_cannot_be_resumed_with_are_refused_on_one_line(folder):
  trained(folder, '--data_dir=data', '--train_dir=run', *NETWORK, *QUIET, '--max_steps=2')
  before = {path: path.read_bytes() for path in (folder / 'run').iterdir() if path.is_file()}
  message = refused(
    folder,
    *('--train_dir=run', '--max_steps=4', '--optimizer=adam', '--moving_average_decay=0.9'),
    *('--precision=float16', '--model=vgg_d@8'),
  )
  for clash in ('optimizer.optimizer', 'moving_average_decay', 'runtime.precision', 'net.model'):
    assert f'{clash} was ' in message
  assert 'give another --train_dir (with --checkpoint_path=run it starts' in message
  assert before == {path: path.read_bytes() for path in before}
  # The message suggests this command.
  output = trained(
    folder,
    *('--data_dir=data', '--checkpoint_path=run', '--train_dir=other', *QUIET, '--max_steps=1'),
    *('--optimizer=adam', '--moving_average_decay=0.9', '--precision=float16', '--batch_size=6'),
  )
  assert 'Starting from run/model.ckpt-2.' in output


def test_another_metric_and_another_rate_reset_their_counters(folder):
  run = ('--train_dir=run', '--epochs=3')
  first = trained(
    folder,
    *('--data_dir=data', *run, *NETWORK, *QUIET, '--keep_best', '--early_stop_patience=9'),
    *('--learning_rate=1e-7', '--learning_rate_decay_type=plateau', '--plateau_patience=1'),
    *('--plateau_min_delta=0.5', '--plateau_max_falls=2'),
  )
  assert first.count('the learning rate is decayed to') == 2
  again = trained(folder, '--train_dir=run', '--epochs=4')
  # The checkpoint was saved before its validation, which is repeated and causes the second decay.
  assert 'plateau: the learning rate has been decayed to 1e-08 (1 of 2 decays).' in again
  assert 'the learning rate is decayed to 1e-09.' in again

  changed = ('--train_dir=run', '--best_metric=loss', '--learning_rate=1e-3')
  output = trained(folder, *changed, '--epochs=5', '--plateau_patience=9')
  for line in (
    "run.best_metric was 'accuracy', now 'loss': epochs are compared by this metric from this step "
    'on.',
    'keep_best: epochs are now compared by loss, not accuracy; the patience starts again.',
    'early_stop_patience: epochs are now compared by loss, not accuracy; the patience starts '
    'again.',
    'plateau: epochs are now compared by loss, not accuracy; the patience starts again.',
    'plateau: starts again at the new learning rate 0.001, with no decays so far.',
  ):
    assert line in output.splitlines()
  rows = list(csv.DictReader((folder / 'run' / 'metrics.csv').read_text().splitlines()))
  assert float(rows[-1]['learning_rate']) == pytest.approx(1e-3)
  state = final_values(folder / 'run' / 'model.ckpt-20')['host_state/best']
  # `best` is the negative of the smallest loss; earlier epochs count with their own losses.
  losses = [float(row['validation_loss']) for row in rows[:-1]]
  assert min(losses) - 1e-4 <= -state[0] <= max(losses) + 1e-4
  assert 'before by' not in trained(folder, *changed, '--epochs=6')


def test_a_checkpoint_of_version_0_1_is_resumed(folder):
  run = ('--data_dir=data', *NETWORK, *QUIET, '--learning_rate=1e-3', '--keep_best')
  plateau = ('--learning_rate_decay_type=plateau', '--plateau_patience=1', '--save_every_steps=2')
  trained(folder, *run, *plateau, '--train_dir=run', '--max_steps=2')
  prefix = folder / 'run' / 'model.ckpt-2'
  values = final_values(prefix)
  old = {
    'host_state/best': values['host_state/best'][:3],
    'host_state/early_stop': values['host_state/early_stop'][:3],
    'host_state/plateau': np.array([-np.inf, 0, 0, 2]),
    'learning_rate_scale': np.float32(0.01),
  }
  with tf.Graph().as_default(), tf.Session() as session:
    variables = [
      tf.get_variable(name, initializer=value) for name, value in {**values, **old}.items()
    ]
    session.run(tf.global_variables_initializer())
    tf.train.Saver(variables).save(session, str(prefix), write_meta_graph=False, write_state=False)
  output = trained(folder, '--train_dir=run', '--max_steps=4')
  assert 'Resuming from run/model.ckpt-2.' in output
  assert 'plateau: the learning rate has been decayed to 1e-05 (2 of 3 decays).' in output


def test_phases_are_checked_with_the_network_of_the_previous_phase(folder):
  trained(
    folder,
    *('--data_dir=data', '--train_dir=source', *QUIET, '--model=vgg_b@8', '--fc_units=8'),
    *('--image_size=64', '--batch_size=6', '--max_steps=1'),
  )
  phases = (
    *('--data_dir=data', *QUIET, '--checkpoint_path=source', '--train_scale_min=70'),
    *('--batch_size=6', '--max_steps=1', '--phase=head trainable_scopes=head', '--phase=all'),
  )
  output = trained(folder, *phases)
  assert 'Starting from runs/data_vgg_b@8/1_head/model.ckpt-1.' in output
  for part in ('1_head', '2_all'):
    saved = json.loads((folder / 'runs' / 'data_vgg_b@8' / part / 'config.json').read_text())
    assert (saved['net']['model'], saved['net']['image_size']) == ('vgg_b@8', 64)
  shutil.rmtree(folder / 'source')  # the phases that have begun do not need it
  parent = '--train_dir=runs/data_vgg_b@8'
  output = trained(folder, *phases, parent, '--max_steps=2')
  assert 'Resuming from runs/data_vgg_b@8/2_all/model.ckpt-1.' in output
