"""A process that runs the batches of one system on request of `turns.Worker`.

    python -m vgg_slim.benchmarks.worker

The protocol is one JSON value per line. The worker reads the name of a system, the fields of a
Workload, and then numbers of batches. It answers the first two with {"ready": true} or
{"absent": reason}, and each number with {"seconds": [...], "peak_bytes": ...}.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from vgg_slim.benchmarks import memory, systems, timing
from vgg_slim.benchmarks.workload import Workload

# A process imports one framework only: the others would add to its peak memory and its cold start.
# Modules in `benchmarks` exist only in a checkout.
_BUILDERS = {
  ('vgg_slim', None): 'vgg_slim.benchmarks.steps:build_step',
  ('vgg_slim', 'convert'): 'vgg_slim.benchmarks.conversion_step:build_step',
  ('matmul', None): 'vgg_slim.benchmarks.ceiling:build_matmul',
  ('convolutions', None): 'vgg_slim.benchmarks.ceiling:build_convolutions',
  ('map_gradients', None): 'vgg_slim.benchmarks.ceiling:build_map_gradients',
  ('kernel_gradients', None): 'vgg_slim.benchmarks.ceiling:build_kernel_gradients',
  ('keras', None): 'benchmarks.keras_net:build_step',
  ('keras', 'input'): 'benchmarks.keras_input:build_step',
  ('torch', None): 'benchmarks.torch_net:build_step',
  ('torch', 'input'): 'benchmarks.torch_input:build_step',
  ('torch_compile', None): 'benchmarks.torch_net:build_compiled_step',
  ('onnxruntime', None): 'benchmarks.onnx_net:build_step',
  ('openvino', None): 'benchmarks.openvino_net:build_step',
  ('slim', None): 'benchmarks.slim_net:build_step',
}


def serve(requests: Iterable[str], replies: TextIO) -> None:
  """Answers each line of `requests` until they end; see the module's docstring."""

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
  # An input pipeline prefetches batches, also between turns.
  time = timing.time_stream if workload.what == 'input' else timing.time_batches
  for num_batches in values:
    seconds = time(run_batch, num_batches)
    reply(seconds=seconds, peak_bytes=memory.peak_bytes())


def build_step(name: str, workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch of `workload` on the system `name`.

  Raises:
    NotMeasuredError: the system is not installed or does not support the workload.
  """
  systems.check_can(name, workload)
  try:
    return _builder(name, workload.what)(workload)
  except ImportError as error:
    raise systems.NotMeasuredError(f'{error.name} is not installed') from error


def _builder(name: str, what: str) -> Callable[[Workload], Callable[[], None]]:
  module, _, function = _BUILDERS.get((name, what), _BUILDERS[name, None]).partition(':')
  return getattr(importlib.import_module(module), function)


if __name__ == '__main__':
  # Output that libraries print goes to stderr, so that the pipe carries the answers only.
  pipe = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  serve(sys.stdin, pipe)
