import os
import re
import shutil
import subprocess
import sys

import pytest

from vgg_slim import completion
from vgg_slim.commands import installation

COMMAND = 'vgg-slim-wash'
START = {'bash': ['bash', '-u'], 'zsh': ['zsh', '-f']}
HELP = """Washes.

  vgg-slim-wash --model=vgg16

Flags:
  --model
      Network.
  --mode
      How.
      One of: hot,
        cold
      Default: hot
  --data_dir
      Folder.
  --[no]dry
      Whether.
      Default: off
  --version
      Prints the version and exits.
"""


@pytest.fixture(params=completion.SHELLS)
def shell(request):
  if not shutil.which(request.param):
    pytest.skip(f'{request.param} is not installed')
  return request.param


@pytest.fixture
def complete(tmp_path, shell):
  """Function that returns what the shell offers after a line, as its line editor would."""

  def write_command(help):
    (tmp_path / COMMAND).write_text(f"#!/bin/sh\necho x >>calls\ncat <<'END'\n{help}END\n")
    (tmp_path / COMMAND).chmod(0o755)

  (tmp_path / 'data').mkdir()
  (tmp_path / 'an image.jpg').touch()
  script = completion.script(shell, [COMMAND], ['vgg_d', 'vgg16', 'resnet50'])

  def run(*lines, help=HELP):
    write_command(help)
    program = script + ''.join(
      f"COMP_LINE='{line}' COMP_POINT={len(line)}; COMPREPLY=(); _vgg_slim {COMMAND}\n"
      'printf "%s\\n" "${COMPREPLY[@]}"\n'
      for line in lines
    )
    path = f'{tmp_path}:{os.environ["PATH"]}'
    done = subprocess.run(
      START[shell],
      input=program,
      cwd=tmp_path,
      env={'PATH': path, 'HOME': str(tmp_path)},
      capture_output=True,
      text=True,
      timeout=300,
    )
    assert done.stderr == ''
    return done.stdout.splitlines()

  return run


@pytest.mark.parametrize(
  ('typed', 'offered'),
  [
    ('--mod', ['--model=', '--mode=']),
    ('--d', ['--data_dir=', '--dry']),
    ('--no', ['--nodry']),
    ('--v', ['--version']),
    ('--mode=', ['hot', 'cold']),
    ('--dry --mode=c', ['cold']),
    ('--model=vgg', ['vgg_d', 'vgg16']),
    ('--data_dir=da', ['data']),
    ('an', ['an image.jpg']),
  ],
)
def test_completions_offered_for_a_line(complete, shell, typed, offered):
  got = complete(f'{COMMAND} {typed}')
  if shell == 'zsh':
    # zsh replaces the whole word, bash only what follows the `=`; zsh also filters the offers.
    word = typed.rpartition(' ')[2]
    flag, equals, _ = word.rpartition('=')
    offered = [f'{flag}{equals}{value}' for value in offered]
    got = [value for value in got if value.startswith(word)]
  assert got == offered


def test_help_is_read_once_per_command(complete, tmp_path):
  complete(f'{COMMAND} --m', f'{COMMAND} --d')
  assert (tmp_path / 'calls').read_text() == 'x\n'


def test_the_layout_of_help_is_the_one_that_is_completed(complete, shell):
  """The enums of a real command, wrapped at 80 columns, and both forms of a switch."""
  done = subprocess.run(
    [sys.executable, '-m', 'vgg_slim.commands.train', '--help'],
    env={key: value for key, value in os.environ.items() if key != 'COLUMNS'},
    capture_output=True,
    text=True,
    check=True,
    timeout=300,
  )
  got = complete(
    f'{COMMAND} --recipe=', f'{COMMAND} --stair', f'{COMMAND} --nostair', help=done.stdout
  )
  names = list(installation.recipes())
  if shell == 'zsh':
    names = [f'--recipe={name}' for name in names]
    got = [value for value in got if re.match('--recipe=.|--stair|--nostair', value)]
    got.remove('--staircase')  # it is offered for both words
  assert got == [*names, '--staircase', '--nostaircase']
