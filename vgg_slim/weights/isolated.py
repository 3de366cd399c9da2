"""Calls a function in a child process with limits on memory and time. No TensorFlow.

    python -m vgg_slim.weights.isolated < REQUEST > ANSWER

The C code of libraries that parse weight files can crash or loop on a damaged or hostile file. In a
child, that ends the child, and the command reports it as one line. The answer is JSON and raw
bytes, not a pickle, which could run code in the parent.

`multiprocessing` is not used, because it would run the caller's main module again.
"""

import contextlib
import dataclasses
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any, NamedTuple, cast

import numpy as np

from vgg_slim import child_processes, errors
from vgg_slim.errors import CheckpointError
from vgg_slim.quiet_import import open_log

_LENGTH_BYTES = 8  # of the JSON text, which follows
_LONGEST_REASON = 200  # characters of another library's message


class Answer(NamedTuple):
  """What a function that runs in a child returns.

  Attributes:
    values: values that JSON can hold.
    arrays: arrays by name, of numbers or booleans.
  """

  values: dict[str, Any]
  arrays: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Limits:
  """Limits of a child.

  Attributes:
    memory_bytes: memory that the child may allocate, beyond which allocations fail. Not enforced on
      macOS.
    cpu_seconds: processor time after which the child is ended. It is not wall-clock time, so that a
      slow disk or a busy machine ends nothing.
  """

  memory_bytes: int
  cpu_seconds: int


def call(
  function: Callable[..., Answer], arguments: tuple[Any, ...], subject: str, limits: Limits
) -> Answer:
  """Returns `function(*arguments)`, computed in a child.

  Args:
    function: function at the top of a module.
    arguments: its arguments, which pickle can hold.
    subject: the file that the function reads, and what it does, for messages: 'vgg16.h5 cannot be
      read as a Keras file'.
    limits: limits of the child.

  Raises:
    CheckpointError: the child crashed or exceeded a limit.
    VggSlimError: the function raised one; it is raised here again.
  """
  environment = {
    **child_processes.environment(on_cpu=True),
    # The stacks of one thread per core count as memory, and one thread reads as fast.
    **dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1'),
  }
  with open_log() as log:
    child = subprocess.Popen(
      [sys.executable, '-m', __name__],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=log,
      env=environment,
    )
    try:
      # A child that died breaks the pipe; its end is reported below.
      with contextlib.suppress(BrokenPipeError), cast(IO[bytes], child.stdin) as stdin:
        pickle.dump((function, arguments, limits), stdin)
      with cast(IO[bytes], child.stdout) as stdout:
        answer = _receive(stdout)
      code = child.wait()
    finally:
      child.kill()
      child.wait()
    if answer is None:
      log.seek(0)
      raise CheckpointError(f'{subject}: {_describe_end(code, log.read(), limits)}')
  _raise_error(answer.values, subject, limits)
  return answer


def _receive(stream: IO[bytes]) -> Answer | None:
  """Returns the answer of the child; None if it ended before the answer was complete."""
  length = stream.read(_LENGTH_BYTES)
  text = stream.read(int.from_bytes(length, 'little'))
  if len(length) < _LENGTH_BYTES or len(text) < int.from_bytes(length, 'little'):
    return None
  header = json.loads(text)
  arrays = {}
  for name, dtype, shape in header['arrays']:
    array = np.empty(shape, dtype)
    if cast(Any, stream).readinto(array.reshape(-1).view(np.uint8)) < array.nbytes:
      return None
    arrays[name] = array
  return Answer(header['values'], arrays)


def _send(stream: IO[bytes], answer: Answer) -> None:
  arrays = {name: np.ascontiguousarray(array) for name, array in answer.arrays.items()}
  described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
  text = json.dumps({'values': answer.values, 'arrays': described}).encode()
  stream.write(len(text).to_bytes(_LENGTH_BYTES, 'little') + text)
  for array in arrays.values():
    cast(Any, stream).write(array.reshape(-1).view(np.uint8))
  stream.flush()


def _describe_end(code: int, log: bytes, limits: Limits) -> str:
  if code == -signal.SIGXCPU:
    return (
      f'the process that reads it was ended after {limits.cpu_seconds} s of processor time; the '
      'file is damaged or hostile.'
    )
  if code == -signal.SIGKILL:
    return 'the process that reads it was killed; the machine may have run out of memory.'
  if code < 0:
    name = signal.Signals(-code).name
    return f'the process that reads it was ended by {name}; the file is damaged or hostile.'
  last_line = child_processes.last_line(log, _LONGEST_REASON)
  return f'the process that reads it ended with exit code {code}: {last_line}'


def _raise_error(values: dict[str, Any], subject: str, limits: Limits) -> None:
  kind = values.get('error')
  if kind is None:
    return
  if kind == MemoryError.__name__:
    raise CheckpointError(
      f'{subject}: it declares more than {limits.memory_bytes / 2**30:.1f} GiB of arrays, which is '
      'out of proportion to its size; the file is damaged or hostile.'
    )
  error_class = getattr(errors, kind, None)
  if error_class is None:
    raise CheckpointError(f'{subject}; is the file complete? {values["message"]}')
  raise error_class(values['message'])


def _limit(limits: Limits) -> None:
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  _lower(resource.RLIMIT_CPU, limits.cpu_seconds)
  # Not RLIMIT_AS: the address space of torch with CUDA is many times its memory.
  _lower(resource.RLIMIT_DATA, limits.memory_bytes)


def _lower(kind: int, limit: int) -> None:
  _, hard = resource.getrlimit(kind)
  allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
  resource.setrlimit(kind, (allowed, hard))


def _answer_request() -> None:
  # Whatever a library prints goes to stderr.
  with os.fdopen(os.dup(1), 'wb') as stream:
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the child
    function, arguments, limits = pickle.load(sys.stdin.buffer)
    try:
      _limit(limits)
      answer = function(*arguments)
    except Exception as error:  # any error of a library that parses a damaged file
      answer = _error_answer(error)
    _send(stream, answer)


def _error_answer(error: Exception) -> Answer:
  message = str(error)
  if not isinstance(error, errors.VggSlimError):
    message = errors.reason(error, _LONGEST_REASON)
  kind = MemoryError if isinstance(error, MemoryError) else type(error)
  return Answer({'error': kind.__name__, 'message': message}, {})


if __name__ == '__main__':
  _answer_request()
