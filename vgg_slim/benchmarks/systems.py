"""The systems that can run a workload, and what each of them supports. No TensorFlow."""

from typing import NamedTuple

from vgg_slim.benchmarks import ceiling_shapes
from vgg_slim.benchmarks.workload import KINDS, PRECISIONS, Workload

OURS = 'vgg_slim'
CEILINGS = (ceiling_shapes.MATMUL, *ceiling_shapes.PASSES)
_ON_CPUS = ('float32', 'bfloat16')
_TRAINING = ('forward', 'forward_backward', 'train_step', 'cold_start')


class NotMeasuredError(Exception):
  """A system cannot run the workload here; the message gives the reason."""


class System(NamedTuple):
  """The `workload.KINDS` and `workload.PRECISIONS` that a system supports."""

  kinds: tuple[str, ...] = KINDS
  precisions: tuple[str, ...] = PRECISIONS


SYSTEMS = {
  OURS: System(),
  **dict.fromkeys(CEILINGS, System()),
  'keras': System((*_TRAINING, 'input')),
  'torch': System((*_TRAINING, 'input')),
  'torch_compile': System(_TRAINING),
  # Its CPU kernels lack bfloat16 convolutions. A cold start would include torch's export.
  'onnxruntime': System(('forward',), ('float32',)),
  'openvino': System(('forward',), _ON_CPUS),
  'slim': System((*_TRAINING, 'dense'), _ON_CPUS),
}
PEERS = tuple(name for name in SYSTEMS if name not in (OURS, *CEILINGS))


def check_can(name: str, workload: Workload) -> None:
  """Raises NotMeasuredError if the system `name` does not support the workload."""
  system = SYSTEMS[name]
  if workload.what not in system.kinds:
    raise NotMeasuredError(f'it does not support {workload.what}')
  if workload.precision not in system.precisions:
    raise NotMeasuredError(f'it does not support {workload.precision} here')


def check_precision(workload: Workload, has_gpu: bool) -> None:
  """Raises NotMeasuredError for float16 without a GPU, where it has no effect or is emulated."""
  if workload.precision == 'float16' and not has_gpu:
    raise NotMeasuredError('float16 is measured on GPUs, and there is none')
