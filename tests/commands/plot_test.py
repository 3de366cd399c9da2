"""Each call runs in its own process because flags are global; most end without TensorFlow."""

import dataclasses
import pathlib
import subprocess
import sys

import PIL.Image
import pytest

from tests.testing import make_data_set, train_config
from vgg_slim.configs import config

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with the data set `data` and the train_dir `run`, of which only the config is read."""
  folder = tmp_path_factory.mktemp('plot')
  data_dir, manifest = make_data_set(folder / 'data')
  (folder / 'run').mkdir()
  config.write_train_config(str(folder / 'run'), train_config(data_dir, manifest))
  return folder


def plot(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.plot', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


@pytest.mark.parametrize(
  'arguments',
  [
    ['--data_dir=data', '--train_scale_max=40', '--mixup=0.2', '--image_size=32'],
    ['--train_dir=run', '--split=validation'],
  ],
)
def test_a_grid_of_samples_is_drawn(folder, arguments):
  run = plot(folder, '--what=samples', '--count=4', '--output=grid.png', *arguments)
  assert run.returncode == 0, run.stderr
  assert run.stdout == 'Wrote grid.png.\n'
  with PIL.Image.open(folder / 'grid.png') as grid:
    assert min(grid.size) > 200


def test_a_data_set_that_was_moved_is_asked_for(folder):
  trained = config.read_train_config(str(folder / 'run'))
  (folder / 'moved').mkdir()
  config.write_train_config(
    str(folder / 'moved'), dataclasses.replace(trained, data_dir='/old/photos')
  )
  run = plot(folder, '--what=samples', '--train_dir=moved')
  assert run.returncode == 1
  assert run.stderr == (
    'plot: error: The run in moved was trained on /old/photos, which does not exist. Give the '
    'present folder of the data set as --data_dir.\n'
  )


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], '--what is required: one of samples'),
    (['--what=samples'], 'Give --train_dir or --data_dir'),
    (['--what=samples', '--data_dir=data', '--split=dev'], "no split 'dev'"),
  ],
)
def test_user_errors_are_one_line(folder, arguments, message):
  run = plot(folder, *arguments)
  assert run.returncode == (1 if '--split=dev' in arguments else 2)
  assert message in run.stderr
  assert len(run.stderr.splitlines()) == 1
