"""Settings of devices, threads and compute precision."""

import dataclasses
import re

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, free_within, setting

PRECISIONS = ('float32', 'bfloat16', 'float16')
NO_GPU = 'none'

_WITHIN_PRECISION = free_within(
  lambda precision: precision == 'float16',
  'float16 stores a loss scale in the checkpoint, so it cannot be switched on or off',
)


@dataclasses.dataclass(frozen=True)
class RuntimeConfig:
  """How TensorFlow runs the graph.

  Attributes:
    precision: Compute precision of convolutions and matrix products, one of PRECISIONS; variables
      stay float32.
    xla: Whether XLA compiles the operations that it supports.
    num_threads: Number of threads that one operation may use; 0 for all cores.
    gpus: Comma-separated GPU numbers, such as '0,2'; NO_GPU for none; None for all.
    gpu_memory_growth: Whether GPU memory is allocated as needed, instead of all of it at the start.
  """

  precision: str = setting('float32', resume=_WITHIN_PRECISION)
  xla: bool = setting(False, resume=FREE)
  num_threads: int = setting(0, resume=FREE)
  gpus: str | None = setting(None, resume=FREE)
  gpu_memory_growth: bool = setting(False, resume=FREE)

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.precision in PRECISIONS, 'precision', f'one of {PRECISIONS}')
    checks.require(self.num_threads >= 0, 'num_threads', 'at least 0')
    gpus_ok = self.gpus in (None, NO_GPU) or re.fullmatch(r'\d+(,\d+)*', self.gpus)
    checks.require(bool(gpus_ok), 'gpus', f'comma-separated numbers or {NO_GPU!r}')
    checks.raise_all()
