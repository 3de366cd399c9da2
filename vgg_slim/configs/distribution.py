"""How a run is distributed over devices and machines."""

import dataclasses
import functools

from vgg_slim.configs.allowed import between, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import FREE, REFUSED, setting
from vgg_slim.constants import MOST_WORKERS

_setting = functools.partial(setting, heading='Several devices')


@dataclasses.dataclass(frozen=True)
class DistributionConfig(Config):
  """Devices of each process; the processes themselves are listed in TF_CONFIG."""

  num_devices: int = _setting(
    1,
    help='Number of GPUs of this machine, which share --batch_size equally. Without a GPU, the CPU '
    'is split into that many virtual devices, which is useful for tests but not faster. See '
    'docs/distributed.md.',
    allowed=between(f'[1, {MOST_WORKERS}]'),
    resume=FREE,
  )
  sync_batch_norm: bool = _setting(
    False,
    help='Compute batch norm statistics over the images of all devices; otherwise each device uses '
    'those of its own images.',
    resume=REFUSED,
  )
  worker_timeout: float = _setting(
    300.0,
    help='Seconds after which one of several workers (TF_CONFIG) stops waiting for the others; it '
    'must exceed the slowest step, checkpoint or validation.',
    allowed=positive(),
    resume=FREE,
  )
