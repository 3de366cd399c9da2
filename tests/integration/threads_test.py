"""--num_threads applies to every session of a command, whichever it opens first.

TensorFlow creates the threads of a process with its first session and keeps them, so they can be
counted when the command ends. The number of other threads (between operations, of Python and of the
input pipeline) does not depend on --num_threads, so the difference of two runs shows its effect.
"""

import pathlib
import subprocess
import sys

import pytest

from tests.testing import make_data_set

ROOT = pathlib.Path(__file__).parents[2]
FEW, MANY = 1, 25
NOISE = 8  # threads that come and go; a third of the difference

COUNTED = """
import os, sys
from vgg_slim.commands import invocation, {tool} as tool
try:
  invocation.run(tool.main, sys.argv)
finally:
  print('threads:', len(os.listdir('/proc/self/task')))
"""


def count_threads(tool, *arguments):
  done = subprocess.run(
    [sys.executable, '-c', COUNTED.format(tool=tool), *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return int(done.stdout.rpartition('threads: ')[2])


@pytest.mark.skipif(not pathlib.Path('/proc/self/task').is_dir(), reason='counts threads in /proc')
@pytest.mark.parametrize('tool', ['train', 'doctor'])
def test_num_threads_sets_the_number_of_threads(tmp_path, tool):
  # The first session of tools/train is that of validation, hence the validation split. That of
  # tools/doctor checks tf-slim.
  data_dir, _ = make_data_set(tmp_path / 'data', per_class=8)
  counts = [
    count_threads(
      tool,
      *(f'--data_dir={data_dir}', f'--train_dir={tmp_path / str(number)}', '--model=vgg_a@8'),
      *('--fc_units=8', '--batch_size=4', '--max_steps=1', f'--num_threads={number}'),
    )
    for number in (FEW, MANY)
  ]
  assert abs(counts[1] - counts[0] - (MANY - FEW)) <= NOISE, counts
