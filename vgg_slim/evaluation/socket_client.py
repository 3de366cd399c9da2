"""Asks a process that serves a network for predictions. Imports neither TensorFlow nor NumPy.

network = ServedNetwork('/run/user/1000/photos.sock')
for answer in network.predict_files(['cat.jpg'], top=3):
  ...
"""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from vgg_slim.errors import ServerError
from vgg_slim.evaluation import socket_messages
from vgg_slim.evaluation.predictions import Answer

# A server says BUSY every few seconds; one that loads TensorFlow says nothing until it has.
SILENCE_SECONDS = 60.0


class ServedNetwork:
  """The network behind a socket; a context manager like a network in this process.

  Attributes:
    class_names: names of its classes; empty if they are unknown.
    num_classes: number of its classes.
  """

  def __init__(self, path: str, silence_seconds: float = SILENCE_SECONDS) -> None:
    """Asks what network it is.

    Args:
      path: path of the socket.
      silence_seconds: time without a word after which the server counts as hanging.

    Raises:
      ServerError: no server listens there, or it does not answer.
    """
    self._path, self._silence_seconds = path, silence_seconds
    values = self._ask(ask=socket_messages.NETWORK)
    try:
      self._description = socket_messages.Description(**values)
    except TypeError as error:
      raise ServerError(f'{path} answers in another form; {_OTHER_VERSION}') from error
    self.class_names = tuple(self._description.class_names or ())
    self.num_classes = self._description.num_classes

  def __enter__(self) -> 'ServedNetwork':
    return self

  def __exit__(self, *exception: object) -> None:
    """Does nothing: no connection is open between two questions."""

  def predict_files(self, paths: Sequence[str], top: int) -> Iterator[Answer]:
    """Predicts image files, a batch of the server at a time.

    Args:
      paths: names of files, absolute or relative to the current folder.
      top: number of classes in each prediction.

    Yields:
      What `image_predictor.predict_files` yields.

    Raises:
      ServerError: the server has gone or was started anew, hangs, or refuses the question.
    """
    folder, size = os.getcwd(), self._description.batch_size
    for chunk in socket_messages.batches(paths, size):
      values = self._ask(
        ask=socket_messages.PREDICTIONS,
        server=self._description.server,
        folder=folder,
        files=chunk,
        top=top,
      )
      answers = [socket_messages.unpack(each) for each in values.get('answers', ())]
      if [answer.file for answer in answers] != list(chunk):
        raise ServerError(f'{self._path} answers about other files; {_OTHER_VERSION}')
      yield from answers

  def _ask(self, **question: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
      try:
        socket_messages.connect(connection, self._path, self._silence_seconds)
        # A server that refuses a question may answer, and close, before it has read all of it.
        refused = _send(connection, question, self._silence_seconds)
        receiver = socket_messages.Receiver(connection)
        answer = socket_messages.BUSY
        while answer == socket_messages.BUSY:
          answer = receiver.receive(socket_messages.MAX_ANSWER_BYTES, self._silence_seconds)
      except TimeoutError as error:
        raise ServerError(
          f'{self._path}: no word from the server for {self._silence_seconds:g} seconds; it hangs, '
          'or is still loading.'
        ) from error
      except OSError as error:
        raise ServerError(_describe(self._path, error)) from error
      except ServerError as error:
        raise ServerError(f'{self._path} sent {error}') from error
    if refused and 'error' not in answer:
      raise ServerError(_describe(self._path, refused))
    if 'error' in answer:
      raise ServerError(f'{self._path}: {answer["error"]}')
    return answer


_OTHER_VERSION = 'it belongs to another program, or to another version of vgg_slim.'
_REASONS = {
  errno.ENOENT: 'there is no such socket',
  errno.ECONNREFUSED: 'no server listens there',
  errno.EACCES: 'it belongs to another user',
}


def _send(
  connection: socket.socket, question: dict[str, Any], seconds: float
) -> ConnectionError | None:
  try:
    question = {'version': socket_messages.VERSION, **question}
    socket_messages.send(connection, question, seconds)
  except ConnectionError as error:
    return error
  return None


def _describe(path: str, error: OSError) -> str:
  reason = _REASONS.get(error.errno or 0)
  if reason:
    return f'{path}: {reason}; start one with --serve={path} and a network.'
  if isinstance(error, ConnectionError):
    return f'{path}: the server has ended, or dropped the question.'
  return f'{path}: {socket_messages.explain(error, path)}.'
