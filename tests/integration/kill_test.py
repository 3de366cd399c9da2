"""A run that is killed at once, as a power cut would, goes on as if nothing had been."""

import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.testing import ignore_signals, make_data_set, started
from vgg_slim.compat import tf

pytestmark = pytest.mark.timeout(1800)
ROOT = pathlib.Path(__file__).parents[2]


def start(data_dir, train_dir):
  return started(
    [
      *(sys.executable, '-m', 'tools.train', '--model=vgg_a@8', f'--data_dir={data_dir}'),
      *(f'--train_dir={train_dir}', '--fc_units=8', '--batch_size=4', '--max_steps=8'),
      *('--save_every_steps=4', '--log_every_steps=1', '--initializer=glorot'),
      *('--learning_rate=1e-3', '--learning_rate_decay_type=plateau', '--plateau_patience=1'),
      *('--moving_average_decay=0.9', '--keep_best', '--early_stop_patience=9'),
    ],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    preexec_fn=ignore_signals,
  )


def final_variables(train_dir):
  reader = tf.train.load_checkpoint(str(train_dir / 'model.ckpt-8'))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_killed_at_step_5_ends_bit_for_bit_like_an_undisturbed_run(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=8)  # 12 to train on: epochs of 3 steps
  with start(data_dir, tmp_path / 'whole') as undisturbed:
    undisturbed.communicate(timeout=300)
  assert undisturbed.returncode == 0

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
  expected, got = final_variables(tmp_path / 'whole'), final_variables(tmp_path / 'killed')
  assert set(expected) == set(got)
  for name, value in expected.items():
    np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_a_signal_saves_and_exits_with_0(tmp_path, name):
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=20)
  output = []
  with start(data_dir, tmp_path / 'run') as process:
    for line in process.stdout:
      output.append(line)
      if line.startswith('step 2/'):
        process.send_signal(getattr(signal, name))
    assert process.wait(timeout=60) == 0
  step = tf.train.load_checkpoint(str(tmp_path / 'run')).get_tensor('global_step')
  assert 2 <= step < 8
  assert f'{name} at step {step} of 8: saved as' in ''.join(output)
