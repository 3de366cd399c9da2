"""Runs tasks in worker processes of one machine, with ordered results and bounded memory."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import process
from typing import TypeVar

from vgg_slim.errors import UnfinishedError

_AHEAD = 3  # tasks per worker that are queued, running or finished but not yet taken

Task = TypeVar('Task')
Result = TypeVar('Result')


def available() -> int:
  """Returns the number of processors that this process may use."""
  return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def map_in_order(
  function: Callable[[Task], Result], tasks: Iterable[Task], num_workers: int
) -> Iterator[Iterator[Result]]:
  """Yields an iterator over `function(task)` in the order of `tasks`, which are consumed lazily.

  Args:
    function: function to call. With more than one worker it must be defined at the top level of a
      module, and its argument and result must be picklable.
    tasks: arguments of the calls.
    num_workers: number of processes; 1 runs the tasks in this process. Processes are started with
      `spawn`, so that they inherit nothing (threads, TensorFlow) from this one.

  Raises:
    UnfinishedError: a worker process died.
  """
  if num_workers == 1:
    yield map(function, tasks)
    return
  pool = concurrent.futures.ProcessPoolExecutor(
    num_workers, multiprocessing.get_context('spawn'), _enter_worker
  )
  try:
    yield _in_order(pool, function, tasks, ahead=_AHEAD * num_workers)
  finally:
    pool.shutdown(cancel_futures=True)


def _in_order(
  pool: concurrent.futures.Executor,
  function: Callable[[Task], Result],
  tasks: Iterable[Task],
  ahead: int,
) -> Iterator[Result]:
  window: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
  try:
    for task in tasks:
      window.append(pool.submit(function, task))
      if len(window) == ahead:
        yield window.popleft().result()
    while window:
      yield window.popleft().result()
  except process.BrokenProcessPool as error:
    raise UnfinishedError(
      'A worker process died; memory may be too small for num_workers.'
    ) from error


def _enter_worker() -> None:
  """Leaves Ctrl-C to the parent, and ends this process when the parent is killed."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)
