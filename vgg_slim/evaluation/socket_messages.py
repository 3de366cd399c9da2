"""What a process that serves a network and those that ask it say over a Unix socket. No TensorFlow.

A connection carries one question, a JSON object on one line, and the answer: first any number of
`BUSY`, one every few seconds, then one other object. So nothing is kept between two questions, and
either side notices within a time limit that the other one has gone or hangs.

  ask      what the question is: NETWORK or PREDICTIONS
  version  VERSION; another one is refused
  server   of PREDICTIONS: the `server` of the answer to NETWORK, which changes with each start
  folder   of PREDICTIONS: absolute path that the files are relative to
  files    of PREDICTIONS: names of files, at most as many as the `batch_size` of NETWORK
  top      of PREDICTIONS: number of classes of each prediction

The answer to NETWORK is a `Description`, that to PREDICTIONS has a list `answers`, see `pack`; an
answer with `error` has the reason instead.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vgg_slim.errors import ServerError
from vgg_slim.evaluation.predictions import Answer, ClassScore, Failure, Prediction

VERSION = 1
NETWORK, PREDICTIONS = 'network', 'predictions'
BUSY = {'busy': True}
# The names of a thousand files, or those of a batch of the longest names.
MAX_QUESTION_BYTES = 2**22
MAX_ANSWER_BYTES = 2**28  # a thousand images with a thousand classes each take a quarter of it
LONGEST_PATH = 107  # bytes of the path of a socket, without the final zero, on Linux

_CHUNK_BYTES = 2**16
_RETRY_SECONDS = 0.02


class Description(NamedTuple):
  """What a client has to know of a served network.

  Attributes:
    server: identifier of this start of the server.
    batch_size: largest number of files of a question.
    num_classes: number of classes K.
    class_names: names of the classes, or None.
  """

  server: str
  batch_size: int
  num_classes: int
  class_names: list[str] | None


def explain(error: OSError, path: str) -> str:
  """Why there can be no socket at `path`: that it is too long, or what the system says."""
  size = len(os.fsencode(path))
  if size > LONGEST_PATH:
    return (
      f'the path has {size} bytes, and that of a socket at most {LONGEST_PATH}; change to its '
      'folder, and give its name'
    )
  return error.strerror or str(error)


def connect(connection: socket.socket, path: str, seconds: float) -> None:
  """Connects to the socket at `path`, for at most `seconds`.

  Raises:
    OSError: no server listens there, or it accepts no more clients.
  """
  deadline = time.monotonic() + seconds
  connection.settimeout(seconds)
  while True:
    try:
      connection.connect(path)
      return
    except BlockingIOError as error:  # too many clients wait, which a time limit does not await
      if time.monotonic() > deadline:
        raise TimeoutError(f'not accepted within {seconds:g} seconds') from error
      time.sleep(_RETRY_SECONDS)


def batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
  """Divides names into batches of at most `size`, and of at most half a question's bytes."""
  start = num_bytes = 0
  for i, name in enumerate(names):
    length = len(json.dumps(name))
    if i > start and (i - start == size or num_bytes + length > MAX_QUESTION_BYTES // 2):
      yield names[start:i]
      start, num_bytes = i, 0
    num_bytes += length
  if start < len(names):
    yield names[start:]


def send(connection: socket.socket, message: Mapping[str, Any], seconds: float) -> None:
  """Sends an object, for at most `seconds`.

  Raises:
    OSError: the other side has gone, or does not receive.
  """
  connection.settimeout(seconds)
  # ASCII, so that the bytes of names that are not UTF-8 come through as they are.
  connection.sendall(json.dumps(message, allow_nan=False).encode('ascii') + b'\n')


class Receiver:
  """Receives objects from a connection, one after the other."""

  def __init__(self, connection: socket.socket) -> None:
    self._connection, self._received = connection, bytearray()

  def receive(self, max_bytes: int, seconds: float) -> dict[str, Any]:
    """Returns the next object, for which it waits at most `seconds`.

    Raises:
      OSError: the other side has gone, or sends too slowly.
      ServerError: what came is longer than `max_bytes`, or no JSON object.
    """
    deadline = time.monotonic() + seconds
    while (end := self._received.find(b'\n', 0, max_bytes + 1)) < 0:
      if len(self._received) > max_bytes:
        raise ServerError(f'a message of more than {max_bytes} bytes.')
      left = deadline - time.monotonic()
      if left <= 0:
        raise TimeoutError(f'no complete line within {seconds:g} seconds')
      self._connection.settimeout(left)
      chunk = self._connection.recv(_CHUNK_BYTES)
      if not chunk:
        raise ConnectionResetError('the other side closed the connection')
      self._received += chunk
    line = bytes(self._received[:end])
    del self._received[: end + 1]
    return _parse(line)


def _parse(line: bytes) -> dict[str, Any]:
  try:
    message = json.loads(line)
  except (ValueError, RecursionError) as error:
    raise ServerError('a message that is not JSON.') from error
  if not isinstance(message, dict):
    raise ServerError('a message that is not a JSON object.')
  return message


def pack(answer: Answer) -> list[Any]:
  """Returns [file, [[class id, class name, probability], ...]], or [file, reason] of a failure."""
  return [answer.file, answer.reason if isinstance(answer, Failure) else answer.top]


def unpack(values: Any) -> Answer:
  """Inverse of `pack`, after JSON, which keeps every bit of a probability.

  Raises:
    ServerError: the values are not those of an answer.
  """
  try:
    file, content = values
    if isinstance(content, str):
      return Failure(file, content)
    return Prediction(file, tuple(ClassScore(*score) for score in content))
  except (TypeError, ValueError) as error:
    raise ServerError('an answer in another form.') from error
