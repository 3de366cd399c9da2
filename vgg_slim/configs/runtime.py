"""Settings of devices, threads and compute precision."""

import dataclasses
import functools
import re

from vgg_slim.configs.allowed import Allowed, between, one_of
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import FREE, free, free_within, setting
from vgg_slim.constants import MOST_WORKERS

PRECISIONS = ('float32', 'bfloat16', 'float16')
AUTO = 'auto'  # for inference only: the fastest precision that gives the same answers
INFERENCE_PRECISIONS = (AUTO, *PRECISIONS)
INFERENCE_HELP = (
  'Precision of convolutions and matrix products. auto is bfloat16 on processors with AMX or '
  'AVX-512 BF16, if the first images prove that the answers stay the same, else float32. float16 '
  'is for GPUs.'
)
NO_GPU = 'none'
RECOMPUTE = ('auto', 'none', 'stages')
_UNITS = {'MB': 10**6, 'GB': 10**9, 'MiB': 2**20, 'GiB': 2**30}

_WITHIN_PRECISION = free_within(
  lambda precision: precision == 'float16',
  'float16 stores a loss scale in the checkpoint, so it cannot be switched on or off',
)
HEADING = 'Precision and device'

_setting = functools.partial(setting, heading=HEADING)


def _are_gpus(text: str) -> bool:
  return text == NO_GPU or re.fullmatch(r'\d+(,\d+)*', text) is not None


def parse_size(text: str) -> int:
  """The number of bytes in a text such as '2GB', '1.5 GiB' or '1500MB'; 0 for any other text."""
  match = re.fullmatch(rf'([0-9]{{1,15}}(?:\.[0-9]+)?) ?({"|".join(_UNITS)})', text)
  return round(float(match[1]) * _UNITS[match[2]]) if match else 0


def format_like(number: int, size: str) -> str:
  """A number of bytes in the unit of `size`, which `parse_size` reads; of GB rounded up to 0.01."""
  unit = next(unit for unit in _UNITS if size.endswith(unit))
  parts = 100 if unit.startswith('G') else 1
  return f'{-(-number * parts // _UNITS[unit]) / parts:.10g}{unit}'


_memory_setting = functools.partial(setting, heading='Memory')
_DIVIDED = free(
  'the step is the same up to the order of sums, and up to the statistics of batch norm where the '
  'batch is divided into micro-batches'
)


@dataclasses.dataclass(frozen=True)
class RuntimeConfig(Config):
  """How TensorFlow runs the graph."""

  precision: str = _setting(
    'float32',
    help='Compute precision of convolutions and matrix products; variables stay float32. bfloat16 '
    'is for CPUs with AMX or AVX-512 BF16; float16, with loss scaling, is for GPUs.',
    allowed=one_of(PRECISIONS),
    resume=_WITHIN_PRECISION,
  )
  xla: bool = _setting(
    False,
    help='Compile the graph with XLA where possible. On CPUs TensorFlow also needs the environment '
    'variable TF_XLA_FLAGS=--tf_xla_cpu_global_jit, and it is seldom faster: measure first.',
    resume=FREE,
  )
  num_threads: int = _setting(
    0,
    help='Number of threads per operation; 0 for one per core.',
    allowed=between(f'[0, {MOST_WORKERS}]'),  # TensorFlow crashes where it cannot start them
    resume=FREE,
  )
  gpus: str | None = _setting(
    None,
    help=f"Comma-separated indices of the GPUs to use, or '{NO_GPU}'. Defaults to all.",
    allowed=Allowed(f'comma-separated numbers or {NO_GPU!r}', _are_gpus),
    resume=FREE,
  )
  gpu_memory_growth: bool = _setting(
    False,
    help='Allocate GPU memory as it is needed; otherwise TensorFlow allocates all of it at once.',
    resume=FREE,
  )
  recompute: str = _memory_setting(
    'auto',
    help='Whether the backward pass computes the activations of the trunk again, stage by stage, '
    'instead of keeping them: a second forward pass of the trunk for a fraction of their memory. '
    'auto lets --memory_budget decide; without a budget nothing is computed again.',
    allowed=one_of(RECOMPUTE),
    resume=FREE,
  )
  memory_budget: str | None = _memory_setting(
    None,
    help='Memory that training may use in all, such as 2GB or 1500MiB. Recomputation, parts of '
    'stages and micro-batches are chosen so that the predicted peak of a step fits, and '
    'validations release the weights of the run. By default there is no budget.',
    allowed=Allowed('a size such as 2GB, 1.5GiB or 800MB', lambda text: parse_size(text) > 0),
    resume=_DIVIDED,
  )
