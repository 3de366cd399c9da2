"""Imports without what is said by the way. No TensorFlow."""

import importlib
import os
import sys
import tempfile


def quiet_import(module: str) -> None:
  """Imports `module` without the notices that TensorFlow prints while it loads.

  They come from C++ before TF_CPP_MIN_LOG_LEVEL is looked at, so that only the file descriptor can
  be silenced; if the import fails, they are shown after all.
  """
  sys.stderr.flush()
  with tempfile.TemporaryFile() as notices:
    stderr = os.dup(2)
    os.dup2(notices.fileno(), 2)
    try:
      importlib.import_module(module)
    except BaseException:
      notices.seek(0)
      os.write(stderr, notices.read())
      raise
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)
