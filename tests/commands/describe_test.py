"""Each call runs in its own process because flags are global; none of them loads TensorFlow."""

import json
import pathlib
import subprocess
import sys

from tests.training.memory_plan_test import config_of
from vgg_slim.training import memory_plan

ROOT = pathlib.Path(__file__).parents[2]


def describe(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.describe', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


def test_the_table_of_vgg16_with_two_classes(tmp_path):
  run = describe(tmp_path, '--model=vgg16', '--num_classes=2')
  assert run.returncode == 0, run.stderr
  lines = [line.split() for line in run.stdout.splitlines()]
  assert [
    'fc6',
    'fc',
    '7x7,',
    'relu',
    '1x1x4096',
    '102,764,544',
    '102.8',
    '404',
    '32',
  ] in lines
  assert ['Parameters', '134,268,738'] in lines


def test_json_and_a_drawing(tmp_path):
  run = describe(
    tmp_path, '--model=resnet50', '--format=json', '--batch_size=8', '--picture=net.png'
  )
  assert run.returncode == 0, run.stderr
  result = json.loads(run.stdout)
  assert result['totals']['parameters'] == 25_636_712
  assert result['totals']['not_trainable'] == 53_120
  assert result['layers'][1]['output_shape'] == [55, 55, 64]
  parts = result['training_bytes']
  names = ('tensorflow', 'weights', 'gradients', 'momentum', 'activations')
  assert parts['total'] == sum(parts[name] for name in names)
  assert (tmp_path / 'net.png').read_bytes().startswith(b'\x89PNG')


def test_the_memory_is_that_which_a_budget_predicts(tmp_path):
  run = describe(tmp_path, '--model=vgg16', '--format=json', '--batch_size=16')
  assert run.returncode == 0, run.stderr
  plan = memory_plan.choose(config_of(memory_budget='20GB'))
  assert json.loads(run.stdout)['training_bytes']['total'] == plan.predicted


def test_user_errors_are_one_line(tmp_path):
  for arguments, code, message in (
    (['--model=vgg-16'], 2, "Unknown model 'vgg-16'. Did you mean 'vgg16'?"),
    (['--image_size=20'], 2, 'image_size=20 is too small for vgg_d'),
    (['--picture=net.txt'], 2, '--picture=net.txt must end in .png or .pdf or .svg.'),
    (['--picture=a/net.png'], 2, '--picture=a/net.png: there is no folder a.'),
  ):
    run = describe(tmp_path, *arguments)
    assert run.returncode == code
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_it_starts_without_tensorflow():
  program = 'import sys, vgg_slim.commands.describe; sys.exit("tensorflow" in sys.modules)'
  subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, timeout=300)
