"""Imports that print nothing. No TensorFlow."""

import importlib
import os
import sys
import tempfile
from typing import IO


def open_log() -> IO[bytes]:
  """Opens a file for what C++ code logs; the null device if no folder takes temporary files."""
  try:
    return tempfile.TemporaryFile()
  except FileNotFoundError:
    return open(os.devnull, 'w+b')


def quiet_import(module: str) -> None:
  """Imports `module` without the log lines that TensorFlow prints while it loads.

  C++ code prints them before it reads TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be
  redirected. If the import fails, the lines are shown; if it is interrupted, they are not.
  """
  sys.stderr.flush()
  with open_log() as log:
    stderr = os.dup(2)
    os.dup2(log.fileno(), 2)
    try:
      importlib.import_module(module)
    except Exception:
      log.seek(0)
      os.write(stderr, log.read())
      raise
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)
