"""Serves a network to other processes of the same user, over a Unix socket. No TensorFlow.

    with socket_server.listening('/run/user/1000/photos.sock') as listener:
      socket_server.serve(listener, description, answer_fn)

Questions are answered one at a time, so that the answers are those of a process that has the
machine to itself. `socket_messages` has the form of questions and answers.
"""

import contextlib
import fcntl
import os
import queue
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

from vgg_slim.errors import OutputError, ServerError, VggSlimError, one_line, reason
from vgg_slim.evaluation import socket_messages
from vgg_slim.evaluation.predictions import Answer

AnswerFn = Callable[[str, Sequence[str], int], Sequence[Answer]]

_MAX_CONNECTIONS = 64  # each waits in a thread; further ones wait to be accepted
_QUESTION_SECONDS = 10.0  # for a client to send its question, or to take a part of the answer
_BUSY_SECONDS = 5.0  # between two signs of life
_POLL_SECONDS = 1.0  # after which a signal is noticed that came just before a wait
_LOCK_SECONDS = 5.0
_STOP_SECONDS = 10.0  # for the batch that is being computed


@contextlib.contextmanager
def listening(path: str) -> Iterator[socket.socket]:
  """Yields a socket that listens at `path`, for this user alone; removes the file in the end.

  The file that a killed server left is replaced.

  Raises:
    OutputError: another server listens there, something else is there, or the folder cannot be
      written to.
  """
  with contextlib.ExitStack() as stack:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    with _only_server(path):
      _remove_abandoned(path)
      try:
        before = os.umask(0o177)  # of the process; no other thread runs yet that creates files
        try:
          listener.bind(path)
        finally:
          os.umask(before)
        listener.listen(_MAX_CONNECTIONS)
        created = os.lstat(path)
      except OSError as error:
        raise OutputError(
          f'{path} cannot be created: {socket_messages.explain(error, path)}.'
        ) from error
    stack.callback(_remove_own, path, created)
    yield listener


@contextlib.contextmanager
def _only_server(path: str) -> Iterator[None]:
  """Keeps other servers from looking at, removing or creating sockets in the same folder."""
  folder = os.path.dirname(path) or '.'
  try:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
  except OSError as error:
    raise OutputError(f'{path} cannot be created: {folder}: {error.strerror}.') from error
  try:
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _lock(descriptor):
      if time.monotonic() > deadline:
        raise OutputError(f'{path} cannot be created: another process has locked {folder}.')
      time.sleep(0.05)
    yield
  finally:
    os.close(descriptor)


def _lock(descriptor: int) -> bool:
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError:
    return True  # some file systems have no locks
  return True


def _remove_abandoned(path: str) -> None:
  try:
    is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
  except OSError:
    return
  if not is_socket:
    raise OutputError(f'{path} exists, and is not a socket; give another path.')
  with socket.socket(socket.AF_UNIX) as probe:
    probe.settimeout(_LOCK_SECONDS)
    try:
      probe.connect(path)
    except ConnectionRefusedError:
      os.unlink(path)
      return
    except OSError as error:  # among them a server that is too busy to accept
      raise OutputError(
        f'{path} is in use, or not yours: {socket_messages.explain(error, path)}.'
      ) from error
  raise OutputError(f'{path} is in use by another server; stop it, or give another path.')


def _remove_own(path: str, created: os.stat_result) -> None:
  with contextlib.suppress(OSError):
    if os.path.samestat(os.lstat(path), created):
      os.unlink(path)


def serve(
  listener: socket.socket, description: socket_messages.Description, answer_fn: AnswerFn
) -> None:
  """Answers questions until KeyboardInterrupt, which it raises again after the current batch.

  An error of `answer_fn` is the answer to its question alone.

  Args:
    listener: socket of `listening`.
    description: what clients have to know.
    answer_fn: function of folder, names of files in it and number of classes; returns an answer
      for each file. It is called in one other thread.
  """
  worker = _Worker()
  slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
  server = _Server(description, answer_fn, worker, slots)
  listener.settimeout(_POLL_SECONDS)
  try:
    while True:
      if not slots.acquire(timeout=_POLL_SECONDS):
        continue
      connection = None
      try:
        connection, _ = listener.accept()
        threading.Thread(target=server.answer, args=(connection,), daemon=True).start()
      except BaseException as error:
        slots.release()
        if connection:
          connection.close()
        if not isinstance(error, OSError | RuntimeError):
          raise
        if not isinstance(error, TimeoutError):  # too many open files or threads
          time.sleep(_POLL_SECONDS)
  finally:
    worker.stop(_STOP_SECONDS)
    server.finish(_QUESTION_SECONDS)


class _Worker:
  """A thread that computes one thing after the other.

  It is no pool of `concurrent.futures`, for whose threads a process waits at its end without limit.
  """

  def __init__(self) -> None:
    self._tasks: queue.SimpleQueue = queue.SimpleQueue()
    self._is_stopping = False
    self._thread = threading.Thread(target=self._run, daemon=True)
    self._thread.start()

  def submit(self, compute: Callable[[], Any]) -> futures.Future:
    """Returns the future of a value that is computed when its turn comes."""
    future: futures.Future = futures.Future()
    self._tasks.put((future, compute))
    return future

  def stop(self, seconds: float) -> None:
    """Refuses what has not begun, and waits for what has, at most `seconds`."""
    self._is_stopping = True
    self._tasks.put(None)
    self._thread.join(seconds)

  def _run(self) -> None:
    while task := self._tasks.get():
      future, compute = task
      if not future.set_running_or_notify_cancel():
        continue
      try:
        if self._is_stopping:
          raise ServerError('the server is stopping.')
        future.set_result(compute())
      except BaseException as error:
        future.set_exception(error)


class _Server:
  """Answers connections, each in a thread of its own."""

  def __init__(
    self,
    description: socket_messages.Description,
    answer_fn: AnswerFn,
    worker: _Worker,
    slots: threading.BoundedSemaphore,
  ) -> None:
    self._description, self._answer_fn = description, answer_fn
    self._worker, self._slots = worker, slots

  def answer(self, connection: socket.socket) -> None:
    """Receives a question and answers it; a client that goes away ends nothing but this."""
    try:
      with connection, contextlib.suppress(OSError):
        socket_messages.send(connection, self._reply(connection), _QUESTION_SECONDS)
    finally:
      self._slots.release()

  def finish(self, seconds: float) -> None:
    """Waits until the answers are sent, at most `seconds`."""
    deadline = time.monotonic() + seconds
    for _ in range(_MAX_CONNECTIONS):
      if not self._slots.acquire(timeout=max(0.0, deadline - time.monotonic())):
        return

  def _reply(self, connection: socket.socket) -> dict[str, Any]:
    try:
      receiver = socket_messages.Receiver(connection)
      question = receiver.receive(socket_messages.MAX_QUESTION_BYTES, _QUESTION_SECONDS)
      compute = self._understand(question)
      return self._await(connection, self._worker.submit(compute)) if compute else self._network()
    except OSError:
      raise
    except VggSlimError as error:
      return {'error': one_line(error)}
    except (
      Exception
    ) as error:  # of TensorFlow, or for want of memory; the next question may go well
      return {'error': f'{reason(error)} ({type(error).__name__})'}

  def _network(self) -> dict[str, Any]:
    return self._description._asdict()

  def _understand(self, question: dict[str, Any]) -> Callable[[], dict[str, Any]] | None:
    """Returns a function that computes the answer; None for the description of the network."""
    if question.get('version') != socket_messages.VERSION:
      raise ServerError(
        f'the server speaks version {socket_messages.VERSION} of the protocol, and the client '
        f'{question.get("version")!r:.40}: use the same vgg_slim for both.'
      )
    if question.get('ask') == socket_messages.NETWORK:
      return None
    if question.get('ask') != socket_messages.PREDICTIONS:
      raise ServerError(f'unknown question {question.get("ask")!r:.40}.')
    if question.get('server') != self._description.server:
      raise ServerError('the server was started anew meanwhile; run the command again.')
    folder, files, top = (question.get(key) for key in ('folder', 'files', 'top'))
    size, classes = self._description.batch_size, self._description.num_classes
    if not (
      isinstance(folder, str)
      and os.path.isabs(folder)
      and '\0' not in folder
      and isinstance(files, list)
      and all(isinstance(name, str) for name in files)
      and len(files) <= size
      and type(top) is int
      and 1 <= top <= classes
    ):
      raise ServerError(
        f'a question must have an absolute folder, at most {size} names of files, and a top of 1 '
        f'to {classes}.'
      )
    return lambda: {
      'answers': [socket_messages.pack(each) for each in self._answer_fn(folder, files, top)]
    }

  def _await(self, connection: socket.socket, future: futures.Future) -> dict[str, Any]:
    while not futures.wait([future], _BUSY_SECONDS).done:
      try:
        socket_messages.send(connection, socket_messages.BUSY, _QUESTION_SECONDS)
      except OSError:
        future.cancel()  # the client has gone
        raise
    try:
      return future.result()
    except OSError as error:  # of the work, not of this connection
      raise ServerError(one_line(error)) from error
