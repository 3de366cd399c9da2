"""The workers of a distributed run, as described by TF_CONFIG. No TensorFlow."""

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Mapping

from vgg_slim.errors import ConfigError

TF_CONFIG = 'TF_CONFIG'


@dataclasses.dataclass(frozen=True)
class Cluster:
  """All workers of a run, and the index of this process among them; worker 0 is the chief.

  Attributes:
    workers: address of each worker, 'host:port'.
    index: index of this process.
  """

  workers: tuple[str, ...]
  index: int

  def to_json(self) -> str:
    """The value for TF_CONFIG."""
    task = {'type': 'worker', 'index': self.index}
    return json.dumps({'cluster': {'worker': list(self.workers)}, 'task': task})


def read_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
  """The cluster that TF_CONFIG describes; None if it is unset or names only one worker.

  Raises:
    ConfigError: TF_CONFIG is not JSON, is incomplete, or describes a task other than a worker.
  """
  text = environment.get(TF_CONFIG)
  if not text:
    return None
  expected = (
    'expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
  )
  try:
    values = json.loads(text)
    workers, task = values['cluster']['worker'], values['task']
    kind, index = task['type'], task['index']
  except (ValueError, KeyError, TypeError) as error:
    raise ConfigError(f'{TF_CONFIG}={text!r}: {expected}.') from error
  names_ok = isinstance(workers, list) and all(isinstance(name, str) for name in workers)
  if not names_ok or kind != 'worker' or index not in range(len(workers)):
    raise ConfigError(
      f'{TF_CONFIG}={text!r}: {expected}, with an index below the number of workers.'
    )
  return Cluster(tuple(workers), index) if len(workers) > 1 else None


def local_clusters(num_workers: int) -> list[Cluster]:
  """One cluster for each process of a run on this machine, on ports that are free now."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(num_workers)]
    for listener in sockets:
      listener.bind(('127.0.0.1', 0))
    workers = tuple(f'127.0.0.1:{listener.getsockname()[1]}' for listener in sockets)
  return [Cluster(workers, index) for index in range(num_workers)]
