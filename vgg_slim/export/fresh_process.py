"""Runs an export in a new interpreter, which has nothing but the export's folder.

    python -m vgg_slim.export.fresh_process ANSWER < REQUEST

`multiprocessing` is not used, because it would run the caller's main module again: a script
without a main guard would export in a loop.
"""

import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from vgg_slim import child_processes, errors
from vgg_slim.errors import VggSlimError
from vgg_slim.quiet_import import quiet_import

Outputs = dict[str, np.ndarray]
Loaded = Callable[[np.ndarray], Outputs]
Loader = Callable[[pathlib.Path], Loaded]

_LONGEST_REASON = 300  # characters of another library's message


def run_in_fresh_process(
  load: Loader, folder: pathlib.Path, batches: Sequence[np.ndarray]
) -> list[Outputs]:
  """Loads an export in a new interpreter and runs it on every batch.

  The answer passes through a folder next to `folder`, which belongs to the caller as well.

  Args:
    load: a function of `reload`.
    folder: folder of the export.
    batches: batches of images, each float32 or uint8 [N, H, W, 3], or of files, bytes [N].

  Raises:
    VggSlimError: the process died, or the export cannot be loaded or run.
  """
  with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
    answer = pathlib.Path(scratch, 'answer')
    done = subprocess.run(
      [sys.executable, '-m', __name__, str(answer)],
      input=pickle.dumps((load, folder, batches)),
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      env=child_processes.environment(on_cpu=True),
    )
    if done.returncode:
      raise VggSlimError(
        f'The process that reloads the export {_describe_end(done.returncode, done.stderr)}'
      )
    outputs, reason = pickle.loads(answer.read_bytes())
  if reason is not None:
    raise VggSlimError(f'The export does not run after reloading: {reason}')
  return outputs


def _describe_end(returncode: int, stderr: bytes) -> str:
  if returncode == -signal.SIGKILL:
    return 'was killed (SIGKILL); the machine may have run out of memory.'
  if returncode < 0:
    return f'was ended by {signal.Signals(-returncode).name}.'
  last_line = child_processes.last_line(stderr, _LONGEST_REASON)
  return f'ended with exit code {returncode}: {last_line}'


def _answer_request() -> None:
  quiet_import('vgg_slim.export.reload')
  load, folder, batches = pickle.load(sys.stdin.buffer)
  outputs = reason = None
  try:
    run = load(folder)
    outputs = [run(batch) for batch in batches]
  except Exception as error:  # any error of four libraries; many of them cannot be pickled
    reason = errors.reason(error, _LONGEST_REASON)
  pathlib.Path(sys.argv[1]).write_bytes(pickle.dumps((outputs, reason)))


if __name__ == '__main__':
  _answer_request()
