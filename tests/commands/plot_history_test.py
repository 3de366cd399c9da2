"""Each call runs in its own process because flags are global."""

import pathlib
import subprocess
import sys

import PIL.Image

from vgg_slim.training.history import EpochMetrics, MetricsFile

ROOT = pathlib.Path(__file__).parents[2]


def plot(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.plot', '--what=history', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


def test_the_curves_of_two_runs_are_drawn(tmp_path):
  for name in ('a', 'b'):
    (tmp_path / name).mkdir()
    metrics = MetricsFile(str(tmp_path / name), 0)
    metrics.add(EpochMetrics(5, 1.0, 0.5, 0.75, 0.6, 0.7, 0.01, 9.0))
  run = plot(tmp_path, '--train_dir=a,b')
  assert (run.returncode, run.stdout) == (0, 'Wrote history.png.\n'), run.stderr
  with PIL.Image.open(tmp_path / 'history.png') as image:
    assert image.width > 500


def test_an_error_names_a_folder_without_a_history(tmp_path):
  run = plot(tmp_path, '--train_dir=nowhere')
  assert run.returncode == 1
  assert 'nowhere/metrics.csv has no rows' in run.stderr
