"""The checks, what they may answer, and how an answer is written. No TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

OK, FAILED, NOT_POSSIBLE = 'ok', 'failed', 'not possible here'
DEVICE = 'device'  # the row that counts the GPUs
REFERENCE = 'reference'  # the row whose files the others read


class NotPossibleError(Exception):
  """A check needs something that this machine or this project lacks; the message says what."""


class WrongResultError(Exception):
  """A check ran and computed something else than it should; the message says by how much."""


class Row(NamedTuple):
  """A check, which runs in a process of its own.

  Attributes:
    name: name of the row.
    about: what the check compares or measures.
    function: 'module:function' of a function of a `settings.Check` that returns the values of the
      row and raises an error if the check fails.
    seconds: time limit.
    environment: environment variables of the process, beside those of its parent.
    needs_reference: whether it compares with the files of the row REFERENCE.
    needs_gpus: number of GPUs without which it is not possible.
  """

  name: str
  about: str
  function: str
  seconds: int = 90
  environment: Mapping[str, str] = {}
  needs_reference: bool = True
  needs_gpus: int = 0


@dataclasses.dataclass(frozen=True)
class Outcome:
  """The result of a row.

  Attributes:
    name: name of the row.
    about: what the check compares or measures.
    status: OK, FAILED or NOT_POSSIBLE.
    where: 'GPU' or 'CPU', whichever the check ran on; empty if it did not run.
    reason: why it failed or is not possible; for OK, a summary.
    seconds: wall-clock time of the process.
    values: numbers of the check, for the JSON file.
  """

  name: str
  about: str
  status: str
  where: str
  reason: str
  seconds: float
  values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _device(name: str, about: str, **options: Any) -> Row:
  function = f'benchmarks.gpu_check.devices:check_{name}'
  return Row(name, about, function, needs_reference=False, **options)


def _training(name: str, about: str, **options: Any) -> Row:
  return Row(name, about, f'benchmarks.gpu_check.training:check_{name}', **options)


def _speed(name: str, about: str, **options: Any) -> Row:
  function = f'benchmarks.gpu_check.speed:check_{name}'
  return Row(name, about, function, needs_reference=False, **options)


def _export(kind: str) -> Row:
  return Row(
    f'export_{kind}',
    f'tools/export_model --format={kind} verifies its own file',
    f'benchmarks.gpu_check.inference:export_{kind}',
    seconds=120,
  )


_INFERENCE = 'benchmarks.gpu_check.inference'

ROWS = (
  _device(DEVICE, 'TensorFlow sees a GPU'),
  Row(
    REFERENCE,
    "the CPU's float32 numbers, with which the rows below compare",
    'benchmarks.gpu_check.reference:make_reference',
    seconds=150,
    environment={'CUDA_VISIBLE_DEVICES': '-1'},
    needs_reference=False,
  ),
  _training('float32', 'two training steps in float32, TF32 off'),
  _training('tf32', 'the same with TF32, the default of TensorFlow', needs_gpus=1),
  _training('float16', 'the same with --precision=float16 and loss scaling', needs_gpus=1),
  _training('loss_scale', 'an update whose gradients overflow is skipped, and the scale halved'),
  _training('bfloat16', 'the same with --precision=bfloat16'),
  _training(
    'xla',
    'the same with --xla',
    seconds=120,
    environment={'TF_XLA_FLAGS': '--tf_xla_cpu_global_jit'},
  ),
  _training('batch_norm', 'two training steps of a ResNet in float32, TF32 off', seconds=120),
  _training(
    'data_format', 'NHWC as built, and NCHW by the layout optimizer, give the same', needs_gpus=1
  ),
  _training('two_logical_devices', 'two halves of one device train like one'),
  _training('two_gpus', 'two GPUs train like one', needs_gpus=2),
  _device('gpus_none', '--gpus=none uses no GPU'),
  _device('gpus_last', '--gpus=N uses GPU N alone', needs_gpus=1),
  _device('gpus_absent', '--gpus refuses a GPU that is absent'),
  _device(
    'memory_growth', '--gpu_memory_growth leaves the rest of the memory to others', needs_gpus=1
  ),
  _training('peak_memory', 'peak memory of a training step, beside the estimate'),
  Row('dense', 'dense evaluation', f'{_INFERENCE}:check_dense'),
  Row('predict', 'prediction of image files', f'{_INFERENCE}:check_predict'),
  _speed('train_float32', 'training in float32, images/s'),
  _speed('train_float16', 'training in float16, images/s', needs_gpus=1),
  _speed('train_bfloat16', 'training in bfloat16, images/s'),
  _speed('forward_float32', 'forward pass in float32, images/s'),
  _speed('forward_float16', 'forward pass in float16, images/s', needs_gpus=1),
  *map(_export, ('saved_model', 'frozen', 'tflite', 'onnx')),
)
BY_NAME = {row.name: row for row in ROWS}
