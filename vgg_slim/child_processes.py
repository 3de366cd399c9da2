"""What processes that run modules of this package share. No TensorFlow."""

import os
import sys


def environment() -> dict[str, str]:
  """Returns the environment in which a child imports from where this process does."""
  return {**os.environ, 'PYTHONPATH': os.pathsep.join(path or os.getcwd() for path in sys.path)}


def last_line(log: bytes, longest: int) -> str:
  """Returns the last line of what a child wrote to stderr, cut after `longest` characters."""
  lines = log.decode(errors='replace').strip().splitlines() or ['no message']
  return lines[-1][:longest]
