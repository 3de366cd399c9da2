"""A process that runs the batches of one system when `turns.Worker` tells it to.

    python -m vgg_slim.benchmarks.worker

Speaks in lines of JSON. It reads the name of a system, the fields of a Workload, and then numbers
of batches; it answers the first two with {"ready": true} or {"absent": reason}, and each number
with {"seconds": [...], "peak_bytes": ...}.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from vgg_slim.benchmarks import memory, systems, timing
from vgg_slim.benchmarks.workload import Workload


def serve(requests: Iterable[str], replies: TextIO) -> None:
  """Answers the lines of `requests` until they end."""

  def reply(**values: object) -> None:
    print(json.dumps(values), file=replies, flush=True)

  values = (json.loads(line) for line in requests)
  name, workload = next(values), Workload(**next(values))
  try:
    run_batch = build_step(name, workload)
  except systems.NotMeasuredError as error:
    reply(absent=str(error))
    return
  reply(ready=True)
  for num_batches in values:
    seconds = timing.time_batches(run_batch, num_batches)
    reply(seconds=seconds, peak_bytes=memory.peak_bytes())


def build_step(name: str, workload: Workload) -> Callable[[], None]:
  """Returns what runs one batch of `workload` on the system `name`.

  Raises:
    NotMeasuredError: the system is not installed, or has no such measurement.
  """
  systems.check_can(name, workload)
  try:
    return _BUILDERS[name](workload)
  except ImportError as error:
    raise systems.NotMeasuredError(f'{error.name} is not installed') from error


# Each imports its own framework alone: memory and start of the others would count as its own.
def _ours(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import steps

  return steps.build_step(workload)


def _matmul(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import ceiling

  return ceiling.build_matmul(workload)


def _convolution(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import ceiling

  return ceiling.build_convolution(workload)


def _keras(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import keras_net

  return keras_net.build_step(workload)


def _torch(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import torch_net

  return torch_net.build_step(workload)


def _torch_compile(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import torch_net

  return torch_net.build_compiled_step(workload)


def _onnxruntime(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import onnx_net

  return onnx_net.build_step(workload)


def _slim(workload: Workload) -> Callable[[], None]:
  from vgg_slim.benchmarks import slim_net

  return slim_net.build_step(workload)


_BUILDERS = {
  'vgg_slim': _ours,
  'matmul': _matmul,
  'convolution': _convolution,
  'keras': _keras,
  'torch': _torch,
  'torch_compile': _torch_compile,
  'onnxruntime': _onnxruntime,
  'slim': _slim,
}


if __name__ == '__main__':
  # What libraries print goes to stderr; the answers keep the pipe for themselves.
  pipe = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  serve(sys.stdin, pipe)
