"""What processes that run modules of this package share. No TensorFlow."""

import os
import sys


def environment(on_cpu: bool = False) -> dict[str, str]:
  """Returns the environment in which a child imports from where this process does.

  Args:
    on_cpu: whether the child sees no GPU. TensorFlow takes nearly all of a GPU's memory for the
      process that uses it first, so that a child of that process finds none.
  """
  paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
  hidden = {'CUDA_VISIBLE_DEVICES': '-1'} if on_cpu else {}
  return {**os.environ, 'PYTHONPATH': paths, **hidden}


def last_line(log: bytes, longest: int) -> str:
  """Returns the last line of what a child wrote to stderr, cut after `longest` characters."""
  lines = log.decode(errors='replace').strip().splitlines() or ['no message']
  return lines[-1][:longest]
