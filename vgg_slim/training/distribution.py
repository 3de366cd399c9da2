"""Training on several devices or several machines, with `tf.distribute`.

A replica is a copy of the network on one device. The batch size is that of the whole run, and every
replica takes an equal share of the batch. The number of replicas therefore changes only the order
of float32 sums, and batch norm, whose statistics cover the images of one replica unless they are
synchronized. Checkpoints are the same as those of a run on one device.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from vgg_slim import locks, op_errors, sessions
from vgg_slim.compat import own_arg_scopes, tf
from vgg_slim.configs.distribution import DistributionConfig
from vgg_slim.errors import ConfigError, TrainingError, WorkerLostError
from vgg_slim.ops.cross_replica import cross_replica_sums
from vgg_slim.ops.fast_gradients import fast_gradients
from vgg_slim.training.cluster import Cluster
from vgg_slim.training.hooks.base import Validation, ValidationScores
from vgg_slim.wording import counted

Result = TypeVar('Result')

# Errors that TensorFlow raises when a worker is gone, or was replaced at the same address.
WORKER_LOSSES = (
  tf.errors.AbortedError,
  tf.errors.CancelledError,
  tf.errors.DeadlineExceededError,
  tf.errors.FailedPreconditionError,
  tf.errors.InternalError,
  tf.errors.UnavailableError,
  tf.errors.UnknownError,
)


@dataclasses.dataclass(frozen=True)
class Replica:
  """Index of one copy of the network, globally and within its process.

  Attributes:
    index: index among all replicas of the run.
    count: number of all replicas of the run.
    local_index: index among the replicas of this process.
    local_count: number of replicas of this process.
  """

  index: int
  count: int
  local_index: int
  local_count: int

  def share(self, batch: tf.Tensor) -> tf.Tensor:
    """This replica's share of its process's batch: [N, ...] to [N / local_count, ...]."""
    if self.local_count == 1:
      return batch
    return tf.split(batch, self.local_count)[self.local_index]


@dataclasses.dataclass(frozen=True)
class Distribution:
  """The devices and workers of a run, and how its session reaches them.

  Attributes:
    strategy: TensorFlow's distribution strategy; the default strategy for a single device.
    session_config: config of the `tf.Session`; None for TensorFlow's default.
    cluster: workers of the run, or None for a single process.
    server: server of this worker, which listens as long as this object holds it.
  """

  strategy: tf.distribute.Strategy = dataclasses.field(default_factory=tf.distribute.get_strategy)
  session_config: tf.ConfigProto | None = None
  cluster: Cluster | None = None
  server: tf.train.Server | None = None

  @property
  def master(self) -> str:
    """Target of the `tf.Session`."""
    return self.server.target if self.server else ''

  @property
  def num_replicas(self) -> int:
    return self.strategy.num_replicas_in_sync

  @property
  def share(self) -> tuple[int, int]:
    """(k, n): this process takes the k-th of n equal shares of each batch, counted from 0."""
    return (self.cluster.index, len(self.cluster.workers)) if self.cluster else (0, 1)

  def check_batch(self, batch_size: int, micro_batches: int) -> None:
    """Raises ConfigError unless the batch splits into `micro_batches` equal ones per replica."""
    if batch_size % (self.num_replicas * micro_batches):
      each = f' in {micro_batches} micro-batches each' if micro_batches > 1 else ''
      raise ConfigError(
        f'batch_size={batch_size} cannot be shared equally by '
        f'{counted(self.num_replicas, "device")}{each}.'
      )

  @contextlib.contextmanager
  def own_folder(self, train_dir: str) -> Iterator[str]:
    """`train_dir` for the chief; for other workers, which save with it, a temporary folder."""
    if self.share[0] == 0:
      yield train_dir
      return
    # The name is the same after a kill, so that leftovers of the killed process are removed.
    digest = hashlib.sha256(os.path.abspath(train_dir).encode()).hexdigest()[:16]
    name = f'vgg_slim_worker_{os.getuid()}_{digest}_{self.share[0]}'
    with locks.scratch_folder(pathlib.Path(tempfile.gettempdir(), name)) as folder:
      yield str(folder)

  def build_replicas(self, build_fn: Callable[[Replica], Result]) -> list[Result]:
    """Calls `build_fn` for each replica of this process and returns the results in order.

    Call it in `strategy.scope()`.
    """
    results = {}

    def build() -> None:
      replica = self._replica()
      results[replica.local_index] = build_fn(replica)

    # Around all replicas, not in `build`: the replicas are built in threads that take turns, and
    # each would undo the graph's gradient override while another still needs it.
    with fast_gradients(), own_arg_scopes():
      self.strategy.run(build)
    return [results[index] for index in sorted(results)]

  @contextlib.contextmanager
  def explain_worker_loss(self) -> Iterator[None]:
    """Within the block, session errors caused by a lost worker become WorkerLostError."""
    if not self.cluster:
      yield
      return
    try:
      yield
    except WORKER_LOSSES as error:
      raise WorkerLostError(
        f'worker {self.cluster.index} lost its connection to the others '
        f'({type(error).__name__}: {op_errors.reason(error)}). Start all workers again to resume.'
      ) from error

  def _replica(self) -> Replica:
    index = tf.distribute.get_replica_context().replica_id_in_sync_group
    index = int(tf.get_static_value(index))
    local_count = self.num_replicas // self.share[1]
    return Replica(index, self.num_replicas, index % local_count, local_count)


class Agreement:
  """Exchange of numbers between workers outside of training steps; the identity for one process.

  All workers have to build it at the same position in their graphs, and call it in the same order.
  """

  _SIZE = 4

  def __init__(self, distribution: Distribution) -> None:
    self._num_workers = distribution.share[1]
    if self._num_workers == 1:
      return
    self._given = given = tf.placeholder(tf.float64, [self._SIZE], 'given')

    def build(replica: Replica) -> tf.Tensor:
      summand = given if replica.local_index == 0 else tf.zeros_like(given)
      return cross_replica_sums([summand])[0]

    self._sum = distribution.build_replicas(build)[0]

  def mean(self, session: tf.Session, values: Sequence[float]) -> list[float]:
    """The mean over all workers of each number, of which there are at most _SIZE."""
    if self._num_workers == 1:
      return list(values)
    padded = [*values, *[0.0] * (self._SIZE - len(values))]
    total = session.run(self._sum, {self._given: padded})
    return [float(value) / self._num_workers for value in total[: len(values)]]

  def any(self, session: tf.Session, flag: bool) -> bool:
    """Whether `flag` is true for at least one worker."""
    return self.mean(session, [float(flag)])[0] > 0

  def check_same(self, session: tf.Session, step: int) -> None:
    """Raises TrainingError unless all workers start at the same step."""
    if self.mean(session, [step])[0] != step:
      raise TrainingError(
        f'The newest checkpoint of this worker was written at step {step}, that of another worker '
        'at a different step: all workers need the same --train_dir, on a shared disk.'
      )

  def on_validation(self, session: tf.Session, validation: Validation) -> Validation:
    """The mean over the workers, so that all of them draw the same conclusions."""
    if self._num_workers == 1:
      return validation
    own = (
      validation.loss,
      validation.top_1_accuracy,
      validation.balanced_accuracy,
      validation.macro_f1,
    )
    loss, accuracy, balanced_accuracy, macro_f1 = self.mean(session, own)
    return ValidationScores(loss, accuracy, balanced_accuracy, macro_f1, validation.only_answer)


def create_distribution(
  config: DistributionConfig, cluster: Cluster | None, session_config: tf.ConfigProto
) -> Distribution:
  """Creates the distribution of a run; in a cluster, this process starts to listen on its port.

  Call it in the graph of the run.

  Args:
    config: devices of each process. Devices are GPUs; without GPUs, the CPU is split into that many
      virtual devices.
    cluster: workers of the run, or None for a single process.
    session_config: session config of this process, to which the distribution adds its own settings.

  Raises:
    ConfigError: there are fewer devices than configured.
    WorkerLostError: the port is already in use.
  """
  gpus, num_devices = sessions.num_gpus(), config.num_devices
  if gpus and num_devices > gpus:
    raise ConfigError(f'num_devices={num_devices}, but only {gpus} GPUs are available.')
  if cluster:
    return _create_worker(config, cluster, session_config, bool(gpus))
  if num_devices == 1:
    return Distribution(session_config=session_config)
  if not gpus:
    session_config.device_count['CPU'] = num_devices
  kind = 'gpu' if gpus else 'cpu'
  strategy = tf.distribute.MirroredStrategy([f'/{kind}:{i}' for i in range(num_devices)])
  return Distribution(strategy, session_config)


def _create_worker(
  config: DistributionConfig, cluster: Cluster, session_config: tf.ConfigProto, has_gpus: bool
) -> Distribution:
  if config.num_devices > 1 and not has_gpus:
    raise ConfigError(f'num_devices={config.num_devices}: without GPUs a worker has one device.')
  spec = tf.train.ClusterSpec({'worker': list(cluster.workers)})
  resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
    spec,
    task_type='worker',
    task_id=cluster.index,
    num_accelerators={'GPU': config.num_devices} if has_gpus else {},
    rpc_layer='grpc',
  )
  strategy = tf.distribute.experimental.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
  session_config = strategy.update_config_proto(session_config)
  session_config.operation_timeout_in_ms = round(config.worker_timeout * 1000)
  try:
    server = tf.train.Server(
      spec, job_name='worker', task_index=cluster.index, config=session_config
    )
  except tf.errors.OpError as error:
    address = cluster.workers[cluster.index]
    raise WorkerLostError(f'cannot listen on {address}: {op_errors.reason(error)}') from error
  return Distribution(strategy, session_config, cluster, server)
