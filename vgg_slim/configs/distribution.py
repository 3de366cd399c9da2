"""How a run is distributed over devices and machines."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, setting


@dataclasses.dataclass(frozen=True)
class DistributionConfig:
  """Devices of each process; the processes themselves are listed in TF_CONFIG.

  Attributes:
    num_devices: Number of devices that share the batch of a process.
    sync_batch_norm: Whether batch norm computes its statistics over the images of all devices.
    worker_timeout: Seconds after which a worker stops waiting for the others.
  """

  num_devices: int = setting(1, resume=FREE)
  sync_batch_norm: bool = setting(False, resume=REFUSED)
  worker_timeout: float = setting(300.0, resume=FREE)

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.num_devices >= 1, 'num_devices', 'at least 1')
    checks.require(self.worker_timeout > 0, 'worker_timeout', 'positive')
    checks.raise_all()
