"""How a run is spread over devices and machines."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, setting


@dataclasses.dataclass(frozen=True)
class DistributionConfig:
  """Devices of each process; which processes there are, TF_CONFIG says.

  Attributes:
    num_devices: that share the batch.
    sync_batch_norm: whether batch norm takes the statistics of all devices' pictures together.
    worker_timeout: seconds after which a worker gives up waiting for the others.
  """

  num_devices: int = setting(1, resume=FREE)
  sync_batch_norm: bool = setting(False, resume=REFUSED)
  worker_timeout: float = setting(300.0, resume=FREE)

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.num_devices >= 1, 'num_devices', 'at least 1')
    checks.require(self.worker_timeout > 0, 'worker_timeout', 'positive')
    checks.raise_all()
