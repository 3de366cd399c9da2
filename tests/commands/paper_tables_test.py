"""Each call runs in its own process because flags are global."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.testing import make_data_set, started

ROOT = pathlib.Path(__file__).parents[2]


def start(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.paper_tables', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'TMPDIR': str(folder)}
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
  return started(command, cwd=folder, env=environment, **pipes)


def paper_tables(folder, *arguments):
  with start(folder, *arguments) as process:
    output = process.communicate(timeout=300)
  return subprocess.CompletedProcess(process.args, process.returncode, *output)


def wait_for_training(folder):
  deadline = time.monotonic() + 120
  while not list(folder.rglob('metrics.csv')):
    assert time.monotonic() < deadline
    time.sleep(0.1)


def test_tables_of_one_network_and_a_user_error(tmp_path):
  make_data_set(tmp_path / 'data', per_class=4)
  tiny = ('--data_dir=data', '--steps=1', '--channels=1')
  run = paper_tables(tmp_path, *tiny, '--models=vgg_a')
  assert run.returncode == 0, run.stderr
  assert run.stdout.startswith(
    'data, 2 validation images; networks with 1 channel in the first stage at 32 px, 1 step after '
    'those of their starts, seed 0\n'
  )
  line = next(line for line in run.stdout.splitlines() if 'vgg_a@1' in line)
  assert line.split()[:4] == ['vgg_a@1', '36', '32', 'dense']
  assert line.split()[-1] == '29.6%'
  assert 'pairs of lines' not in run.stdout  # there is but one line
  assert run.stderr == '1 of 1: vgg_a@1, S = 36 px ...\n'

  run = paper_tables(tmp_path, *tiny, '--models=vgg_a', '--quiet')
  assert (run.returncode, run.stderr) == (0, '')
  assert 'vgg_a@1' in run.stdout

  run = paper_tables(tmp_path, *tiny, '--models=vgg16')
  assert (run.returncode, run.stderr.count('\n')) == (2, 1)
  assert '--models=vgg16: expected some of vgg_a, vgg_a_lrn, vgg_b, ' in run.stderr


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize('folder', [None, 'runs'])
def test_a_signal_during_training(tmp_path, number, code, folder):
  make_data_set(tmp_path / 'data', per_class=4)
  kept = [f'--folder={folder}'] if folder else []
  endless = ('--data_dir=data', '--steps=1000000', '--channels=1', '--models=vgg_a')
  with start(tmp_path, *endless, *kept) as process:
    wait_for_training(tmp_path)
    process.send_signal(number)
    error = process.communicate(timeout=120)[1].splitlines()[-1]
  assert process.returncode == code
  if folder:
    assert error == (
      'paper_tables: error: interrupted; runs holds what is trained. The same command continues.'
    )
    assert list(tmp_path.glob('runs/vgg_a_256_256/model.ckpt-*.index'))
  else:
    assert error == 'paper_tables: error: interrupted; nothing is kept without --folder.'


def test_a_folder_that_tensorflow_would_take_for_a_pattern(tmp_path):
  run = paper_tables(tmp_path, '--folder=tables [3]')
  assert (run.returncode, run.stderr.count('\n')) == (2, 1)
  assert '--folder=tables [3]: TensorFlow takes [3] for a pattern' in run.stderr
  assert not (tmp_path / 'tables [3]').exists()


def test_a_data_set_without_validation(tmp_path):
  make_data_set(tmp_path / 'data', per_class=4, validation_fraction=0)
  run = paper_tables(tmp_path, '--data_dir=data')
  assert (run.returncode, run.stderr.count('\n')) == (1, 1)
  assert '--data_dir=data has no validation split to score, only train. Convert' in run.stderr
