import os
import pathlib
import subprocess
import sys

from vgg_slim import __main__ as listing

ROOT = pathlib.Path(__file__).parents[1]
A_COMMAND = 'vgg_slim.commands.describe'


def test_commands_and_recipes_are_listed_from_any_folder(tmp_path):
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  command = [sys.executable, '-m', 'vgg_slim']
  run = subprocess.run(
    command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
  )
  assert run.returncode == 0, run.stderr
  lines = run.stdout.splitlines()
  name = f'vgg-slim-{A_COMMAND.removeprefix("vgg_slim.commands.")}'
  summary = next(line for line in lines if line.split()[:1] == [name])
  assert summary.endswith('layers, parameters, multiply-adds, memory, drawing.')
  assert len(list(pathlib.Path(lines[-1].partition(': ')[2]).glob('*.flags'))) > 3


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
  name = A_COMMAND.removeprefix('vgg_slim.commands.')
  assert {f'vgg-slim-{name}', f'tools/{name}'} <= commands
  assert 'resnet50' in script


def test_only_modules_with_a_main_are_commands(tmp_path):
  (tmp_path / 'wash.py').write_text('"""Washes it.\n\nMore."""\n\ndef main():\n  """Does."""\n')
  (tmp_path / 'soap.py').write_text('"""What washing needs."""\n\ndef scrub(): pass\n')
  assert listing.commands(tmp_path) == {'wash': 'Washes it.'}


def test_recipes_of_an_installed_wheel_are_in_its_environment(tmp_path, monkeypatch):
  monkeypatch.setattr(listing, '_ROOT', tmp_path)
  assert listing.recipes_folder().parts[-3:] == ('share', 'vgg_slim', 'recipes')
  assert str(listing.recipes_folder()).startswith(sys.prefix)
