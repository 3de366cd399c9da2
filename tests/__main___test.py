import os
import pathlib
import subprocess
import sys

import pytest

from vgg_slim import __main__ as listing

ROOT = pathlib.Path(__file__).parents[1]


def run(folder, *arguments):
  return subprocess.run(
    [sys.executable, '-m', 'vgg_slim', *arguments],
    cwd=folder,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )


def test_commands_and_recipes_are_listed_from_any_folder(tmp_path):
  done = run(tmp_path)
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  summary = next(line for line in lines if line.split()[:1] == ['tools/describe'])
  assert summary.endswith('layers, parameters, multiply-adds, memory, drawing.')
  assert ' digits_vgg16,' in lines[-2]
  assert len(list(pathlib.Path(lines[-1].rpartition(' ')[2]).glob('*.flags'))) > 3


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
@pytest.mark.parametrize('options', [[], ['--completion=bash'], ['--version']])
def test_a_full_output_is_one_line(tmp_path, options):
  done = subprocess.run(
    ['bash', '-c', 'exec "$0" "$@" >/dev/full', sys.executable, '-m', 'vgg_slim', *options],
    cwd=tmp_path,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 1
  assert done.stderr == (
    'vgg_slim: error: standard output cannot be written: No space left on device.\n'
  )


@pytest.mark.parametrize('name', ['export_weights', 'export-weights'])
def test_the_first_argument_names_a_command_to_run(tmp_path, name):
  done = run(tmp_path, name, '--checkpoint_path=weights', '--output=x.txt')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    'export_weights: error: --output=x.txt must end in .weights.h5, .keras, .safetensors, .pth, '
    '.ckpt or .npz.\n'
  )
  done = run(tmp_path, name, '--help')
  assert done.returncode == 0
  assert '\nFlags:\n  --checkpoint_path\n' in done.stdout


def test_an_unknown_command_is_an_error_on_one_line(tmp_path):
  done = run(tmp_path, 'trane', '--model=vgg16')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    "vgg_slim: error: there is no command 'trane'; python -m vgg_slim lists them.\n"
  )


def test_the_completion_script_registers_every_command(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['vgg_slim', '--completion=bash'])
  listing.main()
  script = capsys.readouterr().out
  shown = subprocess.run(
    ['bash'],
    input=f'{script}\ncomplete -p',
    check=True,
    capture_output=True,
    text=True,
    timeout=300,
  ).stdout
  commands = {line.split()[-1] for line in shown.splitlines()}
  assert {'vgg-slim-train-head', 'tools/train_head'} <= commands
  assert 'resnet50' in script
