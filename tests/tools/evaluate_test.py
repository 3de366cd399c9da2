"""Each call is a process of its own, as flags are global; most end before TensorFlow is loaded."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.testing import make_data_set, run_tool
from tools import train

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with the data set `data` and the train_dir `run`, two steps long."""
  folder = tmp_path_factory.mktemp('evaluate')
  make_data_set(folder / 'data', per_class=8)
  code = run_tool(
    train,
    *('--model=vgg_a', f'--data_dir={folder / "data"}', f'--train_dir={folder / "run"}'),
    *('--fc_units=8', '--batch_size=4', '--max_steps=2', '--learning_rate=1e-4'),
  )
  assert code == 0
  return folder


def evaluate(folder, *arguments):
  command = [sys.executable, '-m', 'tools.evaluate', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'}
  return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_table_and_json(folder):
  run = evaluate(folder, '--train_dir=run', '--test_scales=multi', '--output=result.json')
  assert run.returncode == 0, run.stderr
  assert 'vgg_a, step 2, validation split' in run.stdout
  assert '32, 36, 40' in run.stdout
  result = json.loads((folder / 'result.json').read_text())
  assert result['num_images'] == 4
  assert f'{result["top_1_error"]:.2%}' in run.stdout
  assert result['top_5_error'] == 0
  assert result['images_per_second'] > 0
  assert (result['model'], result['step'], result['test_scales']) == ('vgg_a', 2, [32, 36, 40])
  assert all(line.startswith('Evaluating: ') for line in run.stderr.splitlines())


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], '--train_dir is missing: the folder of a training run.'),
    (['--train_dir=nowhere'], 'nowhere is no train_dir: it has no config.json.'),
    (['--train_dir=run', '--split=dev'], "no split 'dev'; this data set has train, validation"),
    (['--train_dir=run', '--test_scales=big'], "--test_scales='big': expected sides"),
    (['--train_dir=run', '--test_scales=16'], 'at least image_size=32 pixels'),
    (['--train_dir=run', '--checkpoint_path=run/x'], 'run/x cannot be read'),
    (['--train_dir=run', '--batch_size=0'], '--batch_size must be at least 1, got 0.'),
  ],
)
def test_a_mistake_is_one_line(folder, arguments, message):
  run = evaluate(folder, *arguments)
  assert run.returncode == 1
  assert run.stderr.startswith('evaluate: error: ')
  assert message in run.stderr
  assert run.stderr.count('\n') == 1
