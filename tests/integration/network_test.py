"""Commands do their work in a process that is killed when it connects, listens or sends."""

import os
import pathlib
import platform
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = [
  pytest.mark.timeout(900),
  pytest.mark.skipif(
    (sys.platform, platform.machine()) != ('linux', 'x86_64'),
    reason='the filter of system calls is written for Linux on x86-64',
  ),
]

# A filter of system calls, which children inherit: connect, listen, and sendto with an address kill
# the process. A socket alone does not, since urllib3 opens one at its import to find out whether
# there is IPv6. Python runs a sitecustomize.py that it finds at its start.
GUARD = """
import ctypes, struct

def op(code, value, if_true=0, if_false=0):
  return struct.pack('HBBI', code, if_true, if_false, value)

LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
NUMBER, ADDRESS_OF_SENDTO = 0, 48  # offsets in struct seccomp_data
CONNECT, SENDTO, LISTEN = 42, 44, 50
KILL, ALLOW = 0x80000000, 0x7FFF0000
filters = b''.join((
  op(LOAD, NUMBER), op(EQUALS, CONNECT, 4), op(EQUALS, LISTEN, 3), op(EQUALS, SENDTO, 0, 3),
  op(LOAD, ADDRESS_OF_SENDTO), op(EQUALS, 0, 1),
  op(RETURN, KILL), op(RETURN, ALLOW),
))
buffer = ctypes.create_string_buffer(filters, len(filters))
program = struct.pack('HxxxxxxP', len(filters) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, MODE_FILTER, program, 0, 0)):
  if libc.prctl(*arguments):
    raise OSError(ctypes.get_errno(), 'prctl')
"""

COMMANDS = """
import sys
from tests import testing
folder = sys.argv[1]
small = ('--model=vgg_a@4', '--image_size=32', '--epochs=1', '--batch_size=4', '--fc_units=8')
for command, *arguments in (
  ('convert_to_tfrecord', f'--input_dir={folder}/images', f'--output_dir={folder}/data',
   '--dataset=folder', '--num_workers=2'),
  ('train', f'--data_dir={folder}/data', f'--train_dir={folder}/run', *small),
  ('evaluate', f'--train_dir={folder}/run', '--split=validation'),
  ('predict', f'--train_dir={folder}/run', f'{folder}/images/cat/0.png'),
):
  code = testing.run_command(command, *arguments)
  assert code == 0, (command, code)
print('all four')
"""


@pytest.fixture
def run(tmp_path):
  """Runs a script in a process with the guard."""
  guard = tmp_path / 'guard'
  guard.mkdir()
  (guard / 'sitecustomize.py').write_text(GUARD)
  path = os.pathsep.join((str(guard), str(ROOT)))

  def run_script(script, *arguments):
    return subprocess.run(
      [sys.executable, '-c', script, *arguments],
      env={**os.environ, 'PYTHONPATH': path},
      cwd=tmp_path,
      capture_output=True,
      text=True,
      timeout=600,
    )

  return run_script


@pytest.mark.parametrize(
  'act', ["connect(('127.0.0.1', 9))", 'listen()', "sendto(b'', ('127.0.0.1', 9))"]
)
def test_the_guard_kills_what_uses_a_socket(run, act):
  kind = 'SOCK_DGRAM' if 'sendto' in act else 'SOCK_STREAM'
  script = f'import socket; socket.socket(socket.AF_INET, socket.{kind}).{act}'
  assert run(script).returncode == -signal.SIGSYS
  child = f'import subprocess, sys; sys.exit(subprocess.call([sys.executable, "-c", {script!r}]))'
  assert run(child).returncode == 256 - signal.SIGSYS


def test_the_guard_lets_processes_of_one_program_talk(run):
  assert run("import socket; a, b = socket.socketpair(); a.send(b'x')").returncode == 0


def test_converting_training_evaluating_and_predicting_need_no_network(run, tmp_path):
  rng = np.random.default_rng(0)
  for label in ('cat', 'dog'):
    folder = tmp_path / 'images' / label
    folder.mkdir(parents=True)
    for i in range(8):
      pixels = rng.integers(0, 256, [40, 40, 3], np.uint8)
      PIL.Image.fromarray(pixels).save(folder / f'{i}.png')
  result = run(COMMANDS, str(tmp_path))
  assert result.stdout.endswith('all four\n'), result.stdout + result.stderr
