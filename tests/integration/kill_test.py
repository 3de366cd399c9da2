"""A run that is killed, as by a power failure, resumes with the same result."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests import kills
from tests.testing import ignore_signals, make_data_set, started
from vgg_slim.compat import tf

pytestmark = pytest.mark.timeout(1800)
ROOT = pathlib.Path(__file__).parents[2]


def start(data_dir, train_dir, *flags):
  return started(
    [
      *(
        sys.executable,
        '-m',
        'vgg_slim.commands.train',
        '--model=vgg_a@8',
        f'--data_dir={data_dir}',
      ),
      *(f'--train_dir={train_dir}', '--fc_units=8', '--batch_size=4', '--max_steps=8'),
      *('--save_every_steps=4', '--log_every_steps=1', '--initializer=glorot'),
      *('--learning_rate=1e-3', '--learning_rate_decay_type=plateau', '--plateau_patience=1'),
      *('--moving_average_decay=0.9', '--keep_best', '--early_stop_patience=9', *flags),
    ],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    preexec_fn=ignore_signals,
  )


def test_a_run_killed_at_step_5_ends_with_the_same_bits_as_an_uninterrupted_one(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=8)  # 12 for training: epochs of 3 steps
  with start(data_dir, tmp_path / 'whole') as uninterrupted:
    uninterrupted.communicate(timeout=300)
  assert uninterrupted.returncode == 0

  with start(data_dir, tmp_path / 'killed') as killed:
    for line in killed.stdout:
      if line.startswith('step 5/'):
        killed.kill()
  assert killed.returncode == -signal.SIGKILL
  assert (tmp_path / 'killed' / 'model.ckpt-3.index').exists()

  with start(data_dir, tmp_path / 'killed') as resumed:
    output, _ = resumed.communicate(timeout=300)
  assert resumed.returncode == 0
  assert 'Resuming from' in output
  kills.check_same_end(tmp_path / 'whole', tmp_path / 'killed')


def kill_in_a_save(process, train_dir):
  """Kills the process when its third save begins."""
  is_third = kills.InSave(train_dir, 3, 0)
  while process.poll() is None:
    if is_third():
      process.kill()
      return
    time.sleep(0.0002)


def test_a_run_killed_during_saves_ends_the_same_without_extra_files(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=8)
  run = tmp_path / 'killed'
  with start(data_dir, tmp_path / 'whole', '--save_every_steps=1') as uninterrupted:
    uninterrupted.communicate(timeout=300)
  assert uninterrupted.returncode == 0
  for _ in range(3):  # two saves each time, so that the run does not end before
    with start(data_dir, run, '--save_every_steps=1') as killed:
      kill_in_a_save(killed, run)
    assert killed.returncode == -signal.SIGKILL
  with start(data_dir, run, '--save_every_steps=1') as resumed:
    resumed.communicate(timeout=300)
  assert resumed.returncode == 0
  kills.check_same_end(tmp_path / 'whole', run)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
@pytest.mark.parametrize('times', [1, 2])  # `timeout` sends two
def test_a_signal_saves_a_checkpoint_and_exits_with_0(tmp_path, name, times):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=20)
  output = []
  with start(data_dir, tmp_path / 'run') as process:
    for line in process.stdout:
      output.append(line)
      if line.startswith('step 2/'):
        for _ in range(times):
          process.send_signal(getattr(signal, name))
          time.sleep(0.005)  # otherwise the kernel may merge the two
    assert process.wait(timeout=60) == 0
  step = tf.train.load_checkpoint(str(tmp_path / 'run')).get_tensor('global_step')
  assert 2 <= step < 8
  assert f'{name} at step {step} of 8: saved as' in ''.join(output)
