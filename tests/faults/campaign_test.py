import os
import pathlib
import random
import subprocess
import sys

import pytest

from tests.faults import campaign, subjects
from vgg_slim import files

ROOT = pathlib.Path(__file__).parents[2]


class Writer(subjects.Subject):
  """A command that writes one file, which the test decides how to."""

  def start(self, inputs, folder, log, prepare=None):
    log.write_text('')
    for function in self.flags(inputs, folder):
      function(folder / self.outputs[0])


def write_in_place(path):
  with path.open('w') as stream:
    for _ in range(200):
      stream.write(99 * 'x' + '\n')
      stream.flush()
      os.mkdir(f'{path}.now')
      os.rmdir(f'{path}.now')


def leave_a_file(path):
  (path.parent / f'.{os.getpid()}.tmp').touch()


def remove_first(path):
  path.unlink(missing_ok=True)
  files.write_text(path, 'new')


def run(tmp_path, *steps, replaced=()):
  subject = Writer('writer', lambda inputs, folder: steps, ('out',), replaced)
  return campaign.Campaign(subject, 'a, b', tmp_path, random.Random(0)).run(30)


def test_kills_of_a_command_that_writes_as_a_whole_are_counted(tmp_path):
  tally = run(tmp_path, lambda path: files.write_text(path, 'new'), replaced=['out'])
  assert tally.kills == 30
  assert 0 < tally.before_changes <= 30
  assert tally.with_rest > 0
  assert tally.ends > 0
  assert (
    tally.row('x') == f'| x | 30 | {tally.before_changes} | {tally.with_rest} | {tally.ends} | 0 |'
  )


@pytest.mark.parametrize(
  ('step', 'message'),
  [
    (write_in_place, 'out'),
    (leave_a_file, r'\.tmp'),
    (remove_first, 'out is gone'),
    (lambda path: sys.exit(3), '3: writer'),
  ],
)
def test_what_must_not_be_left_is_an_error(tmp_path, step, message):
  with pytest.raises(AssertionError, match=message):
    run(tmp_path, step, lambda path: files.write_text(path, 'new'), replaced=['out'])


def test_real_commands_lose_nothing():
  chosen = ('train_head', 'import_weights, .npz', 'export_weights, .npz')
  program = [sys.executable, '-m', 'tests.faults', '--kills=12', '--seed=1']
  done = subprocess.run(
    [*program, '--commands', *chosen],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  rows = [line.split(' | ') for line in done.stdout.splitlines() if line.startswith('| ')]
  assert [row[0] for row in rows[1:]] == [f'| {name}' for name in chosen]
  assert all(row[-1] == '0 |' for row in rows[1:])
