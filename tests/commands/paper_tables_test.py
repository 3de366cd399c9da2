"""Each call runs in its own process because flags are global."""

import pathlib
import subprocess
import sys

from tests.testing import make_data_set

ROOT = pathlib.Path(__file__).parents[2]


def paper_tables(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.paper_tables', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


def test_tables_of_one_network_and_a_user_error(tmp_path):
  make_data_set(tmp_path / 'data', per_class=4)
  tiny = ('--data_dir=data', '--steps=1', '--channels=1')
  run = paper_tables(tmp_path, *tiny, '--models=vgg_a')
  assert run.returncode == 0, run.stderr
  assert 'folder, 2 validation images' in run.stdout
  line = next(line for line in run.stdout.splitlines() if 'vgg_a@1' in line)
  assert line.split()[:4] == ['vgg_a@1', '36', '32', 'dense']
  assert line.split()[-1] == '29.6%'
  assert '0 of 0 pairs of lines are ordered differently from the paper' in run.stdout
  assert run.stderr == '1 of 1: vgg_a@1, S = 36 px ...\n'

  run = paper_tables(tmp_path, *tiny, '--models=vgg_a', '--quiet')
  assert (run.returncode, run.stderr) == (0, '')
  assert 'vgg_a@1' in run.stdout

  run = paper_tables(tmp_path, *tiny, '--models=vgg16')
  assert (run.returncode, run.stderr.count('\n')) == (2, 1)
  assert '--models=vgg16: expected some of vgg_a, vgg_a_lrn, vgg_b, ' in run.stderr
