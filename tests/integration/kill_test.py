"""A run that is killed at once, as a power cut would, goes on as if nothing had been."""

import pathlib
import signal
import subprocess
import sys

import numpy as np

from tests.testing import make_data_set
from vgg_slim.compat import tf

ROOT = pathlib.Path(__file__).parents[2]


def start(data_dir, train_dir):
  return subprocess.Popen(
    [
      *(sys.executable, '-m', 'tools.train', '--model=vgg_a@8', f'--data_dir={data_dir}'),
      *(f'--train_dir={train_dir}', '--fc_units=8', '--batch_size=4', '--max_steps=8'),
      *('--save_every_steps=4', '--log_every_steps=1', '--initializer=glorot'),
      *('--learning_rate=1e-3', '--learning_rate_decay_type=plateau', '--plateau_patience=1'),
      *('--moving_average_decay=0.9', '--keep_best', '--early_stop_patience=9'),
    ],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    text=True,
  )


def final_variables(train_dir):
  reader = tf.train.load_checkpoint(str(train_dir / 'model.ckpt-8'))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_killed_at_step_5_ends_bit_for_bit_like_an_undisturbed_run(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=8)  # 12 to train on: epochs of 3 steps
  undisturbed = start(data_dir, tmp_path / 'whole')
  assert undisturbed.wait() == 0

  killed = start(data_dir, tmp_path / 'killed')
  for line in killed.stdout:
    if line.startswith('step 5/'):
      killed.kill()
  assert killed.wait() == -signal.SIGKILL
  assert (tmp_path / 'killed' / 'model.ckpt-3.index').exists()

  resumed = start(data_dir, tmp_path / 'killed')
  output, _ = resumed.communicate()
  assert resumed.returncode == 0
  assert 'Resuming from' in output
  expected, got = final_variables(tmp_path / 'whole'), final_variables(tmp_path / 'killed')
  assert set(expected) == set(got)
  for name, value in expected.items():
    np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_sigterm_saves_and_exits_with_0(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=20)
  process = start(data_dir, tmp_path / 'run')
  output = []
  for line in process.stdout:
    output.append(line)
    if line.startswith('step 2/'):
      process.terminate()
  assert process.wait() == 0
  step = tf.train.load_checkpoint(str(tmp_path / 'run')).get_tensor('global_step')
  assert 2 <= step < 8
  assert f'SIGTERM at step {step} of 8: saved as' in ''.join(output)
