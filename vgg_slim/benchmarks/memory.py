"""Peak memory of this process."""

import pathlib
import re

_STATUS = pathlib.Path('/proc/self/status')


def peak_bytes(status: pathlib.Path = _STATUS) -> int | None:
  """Returns the peak resident memory of this process in bytes, or None where it is unknown.

  Reads VmHWM of Linux, because the peak of `getrusage` is inherited from the parent process.
  """
  try:
    match = re.search(r'^VmHWM:\s+(\d+) kB$', status.read_text(encoding='ascii'), re.MULTILINE)
  except OSError:
    return None
  return 1024 * int(match[1]) if match else None
