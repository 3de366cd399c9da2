"""Each call of the command runs in its own process because flags are global."""

import pathlib
import subprocess
import sys

import PIL.Image

from vgg_slim.commands import phases
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


def test_the_phases_of_a_run_follow_each_other(tmp_path):
  for number, name in enumerate(('1_head', '2_all', '3_last'), start=1):
    folder = tmp_path / 'run' / name
    folder.mkdir(parents=True)
    (folder / 'config.json').touch()
    metrics = MetricsFile(str(folder), 0)
    for epoch in range(1, number + 1) if number < 3 else ():  # the last one has just begun
      metrics.add(EpochMetrics(5 * epoch, epoch, 1 / number, 0.5, 0.75, 0.6, 0.01, 9.0))
  run = plot(tmp_path, '--train_dir=run')
  assert (run.returncode, run.stdout) == (0, 'Wrote history.png.\n'), run.stderr
  rows = phases.read_history(str(tmp_path / 'run'))
  assert [(row.epoch, row.train_loss) for row in rows] == [(1, 1), (2, 0.5), (3, 0.5)]
