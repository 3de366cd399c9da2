"""The systems that a workload can be run on, and what each of them can do. No TensorFlow."""

from typing import NamedTuple

from vgg_slim.benchmarks.workload import KINDS, PRECISIONS, Workload

OURS = 'vgg_slim'
CEILINGS = ('matmul', 'convolution')
_TRAINING = ('forward', 'forward_backward', 'train_step', 'cold_start')


class NotMeasuredError(Exception):
  """A system that cannot run the workload here; the message says why."""


class System(NamedTuple):
  """What a system can run: of `workload.KINDS` and `workload.PRECISIONS`."""

  kinds: tuple[str, ...] = KINDS
  precisions: tuple[str, ...] = PRECISIONS


SYSTEMS = {
  OURS: System(),
  **dict.fromkeys(CEILINGS, System()),
  'keras': System((*_TRAINING, 'input')),
  'torch': System((*_TRAINING, 'input')),
  'torch_compile': System(_TRAINING),
  # Its CPU kernels have no bfloat16 convolution, and its process has loaded torch for the export.
  'onnxruntime': System(('forward',), ('float32',)),
  'slim': System((*_TRAINING, 'dense')),
}
PEERS = tuple(name for name in SYSTEMS if name not in (OURS, *CEILINGS))


def check_can(name: str, workload: Workload) -> None:
  """Raises NotMeasuredError where the system `name` has no such measurement."""
  system = SYSTEMS[name]
  if workload.what not in system.kinds:
    raise NotMeasuredError(f'{workload.what} is not measured on it')
  if workload.precision not in system.precisions:
    raise NotMeasuredError(f'it has no {workload.precision} on CPUs')
