import os
import signal
import subprocess
import sys
import time

import pytest

from tests.testing import started
from vgg_slim.data.conversion import workers
from vgg_slim.errors import DataError, UnfinishedError


def square_and_process(number):
  return number**2, os.getpid()


def fail_at_three(number):
  if number == 3:
    raise DataError('three')
  return number


def die(_):
  os.kill(os.getpid(), signal.SIGKILL)


def test_one_worker_is_this_process_and_consumes_tasks_one_by_one():
  consumed = []

  def tasks():
    for number in range(3):
      consumed.append(number)
      yield number

  with workers.map_in_order(square_and_process, tasks(), 1) as results:
    assert next(results) == (0, os.getpid())
    assert consumed == [0]
    assert [square for square, _ in results] == [1, 4]


def test_two_workers_keep_the_order_and_consume_few_tasks_ahead():
  consumed = []

  def tasks():
    for number in range(50):
      consumed.append(number)
      yield number

  with workers.map_in_order(square_and_process, tasks(), 2) as results:
    first = next(results)
    assert len(consumed) == 6  # three per worker, whatever the number of tasks
    outcomes = [first, *results]
  assert [square for square, _ in outcomes] == [number**2 for number in range(50)]
  processes = {process for _, process in outcomes}
  assert os.getpid() not in processes
  assert len(processes) <= 2


def test_an_error_is_raised_in_its_turn():
  with workers.map_in_order(fail_at_three, range(9), 2) as results:
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match='three'):
      next(results)


def test_a_worker_that_dies_is_an_error():
  with (
    pytest.raises(UnfinishedError, match='A worker process died'),
    workers.map_in_order(die, range(3), 2) as results,
  ):
    list(results)


_SLEEPER = """
import sys, time
from tests.data.conversion import workers_test
from vgg_slim.data import workers
if __name__ == "__main__":
  with workers.map_in_order(workers_test.square_and_process, range(10**9), 2) as results:
    print(*sorted({next(results)[1] for _ in range(100)}), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
  script = tmp_path / 'sleeper.py'
  script.write_text(_SLEEPER)
  root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
  environment = {**os.environ, 'PYTHONPATH': root}
  with started(
    [sys.executable, script],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,  # multiprocessing reports resources that the kill has leaked
    env=environment,
  ) as parent:
    processes = [int(number) for number in parent.stdout.readline().split()]
    parent.kill()
    parent.wait(timeout=60)
  deadline = time.monotonic() + 20
  while any(is_running(process) for process in processes):
    assert time.monotonic() < deadline
    time.sleep(0.05)


def is_running(process):
  try:
    with open(f'/proc/{process}/stat') as stream:
      return stream.read().rpartition(')')[2].split()[0] != 'Z'
  except FileNotFoundError:
    return False
