import os
import subprocess

import pytest

from vgg_slim import completion

COMMAND = 'vgg-slim-wash'
HELP = """Washes.

  vgg-slim-wash --model=vgg16

Flags:
  --model
      Network.
  --mode
      <hot|cold>: How. (default: 'hot')
  --data_dir
      Folder.
  --dry
      Whether. (default: 'false')
  --version
      Prints the version and ends.
"""


@pytest.fixture
def complete(tmp_path):
  """What bash offers after a line; it runs the script as readline would."""
  (tmp_path / COMMAND).write_text(f"#!/bin/sh\necho x >>calls\ncat <<'END'\n{HELP}END\n")
  (tmp_path / COMMAND).chmod(0o755)
  (tmp_path / 'data').mkdir()
  (tmp_path / 'a picture.jpg').touch()
  script = completion.script('bash', [COMMAND], ['vgg_d', 'vgg16', 'resnet50'])

  def run(*lines):
    program = script + ''.join(
      f"COMP_LINE='{line}' COMP_POINT={len(line)}; COMPREPLY=(); _vgg_slim {COMMAND}\n"
      'printf "%s\\n" "${COMPREPLY[@]}"\n'
      for line in lines
    )
    path = f'{tmp_path}:{os.environ["PATH"]}'
    bash = subprocess.run(
      ['bash', '-u'],
      input=program,
      cwd=tmp_path,
      env={'PATH': path},
      capture_output=True,
      text=True,
    )
    assert bash.stderr == ''
    return bash.stdout.splitlines()

  return run


@pytest.mark.parametrize(
  ('typed', 'offered'),
  [
    ('--mod', ['--model=', '--mode=']),
    ('--d', ['--data_dir=', '--dry']),
    ('--v', ['--version']),
    ('--mode=', ['hot', 'cold']),
    ('--dry --mode=c', ['cold']),
    ('--model=vgg', ['vgg_d', 'vgg16']),
    ('--data_dir=da', ['data']),
    ('a', ['a picture.jpg']),
  ],
)
def test_bash_offers(complete, typed, offered):
  assert complete(f'{COMMAND} {typed}') == offered


def test_help_is_asked_for_once(complete, tmp_path):
  complete(f'{COMMAND} --m', f'{COMMAND} --d')
  assert (tmp_path / 'calls').read_text() == 'x\n'


def test_zsh_reads_it_as_bash_does():
  script = completion.script('zsh', ['a', 'b'], ['vgg_d'])
  assert script.startswith('autoload ')
  assert script.endswith('complete -o nospace -F _vgg_slim a b\n')
