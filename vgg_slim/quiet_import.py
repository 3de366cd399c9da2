"""Imports that print nothing. No TensorFlow."""

import importlib
import os
import sys
import tempfile


def quiet_import(module: str) -> None:
  """Imports `module` without the log lines that TensorFlow prints while it loads.

  C++ code prints them before it reads TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be
  redirected. If the import fails, the lines are shown; if it is interrupted, they are not.
  """
  sys.stderr.flush()
  with tempfile.TemporaryFile() as log:
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
