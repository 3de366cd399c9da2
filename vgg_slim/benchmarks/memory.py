"""Peak memory of this process."""

import pathlib
import re

_STATUS = pathlib.Path('/proc/self/status')


def peak_bytes(status: pathlib.Path = _STATUS) -> int | None:
  """The most memory this process has held at once, in bytes; None where the system does not say.

  The high-water mark of Linux: that of `getrusage` is handed on from parent to child.
  """
  try:
    match = re.search(r'^VmHWM:\s+(\d+) kB$', status.read_text(encoding='ascii'), re.MULTILINE)
  except OSError:
    return None
  return 1024 * int(match[1]) if match else None
