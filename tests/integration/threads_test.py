"""--num_threads holds for every session of a command, whichever is the first that it opens.

TensorFlow makes the threads of a process with its first session and leaves them there, so that they
can be counted when the command is through. Threads between operations, of Python and of the input
pipeline are as many for any --num_threads: the difference of two runs is what the flag does.
"""

import pathlib
import subprocess
import sys

import pytest

from tests.testing import make_data_set

ROOT = pathlib.Path(__file__).parents[2]
FEW, MANY = 1, 25
NOISE = 8  # of threads that come and go, a third of the difference

COUNTED = """
import os, sys
from tools import invocation, {tool} as tool
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
def test_num_threads(tmp_path, tool):
  # With a validation split: its session is the first of tools/train. That of tools/doctor is for
  # a look at tf-slim.
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
