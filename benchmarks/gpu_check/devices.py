"""Rows about the devices that TensorFlow sees and uses, and helpers of the other rows."""

import subprocess
from typing import Any

from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError
from benchmarks.gpu_check.settings import Check
from vgg_slim import sessions
from vgg_slim.benchmarks import memory
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import NO_GPU, RuntimeConfig
from vgg_slim.doctor import framework
from vgg_slim.errors import ConfigError

_TF32_CAPABILITY = (8, 0)  # Ampere
_MOST_WITH_GROWTH = 0.5  # of the card's memory, after a step of a small graph
_SMI_SECONDS = 20


def physical_gpus() -> list[Any]:
  """The GPUs that TensorFlow finds, whether this process uses them or not."""
  return tf.config.list_physical_devices('GPU')


def require_gpus(count: int = 1) -> list[Any]:
  """Returns the GPUs; raises NotPossibleError if there are fewer than `count`."""
  gpus = physical_gpus()
  if len(gpus) < count:
    raise NotPossibleError(f'it needs {count} GPU{"s" * (count > 1)}, TensorFlow finds {len(gpus)}')
  return gpus


def place() -> str:
  """'GPU' if this process computes on one, else 'CPU'."""
  return 'GPU' if sessions.num_gpus() else 'CPU'


def supports_tf32() -> bool:
  """Whether the first GPU has TF32."""
  details = tf.config.experimental.get_device_details(require_gpus()[0])
  return tuple(details.get('compute_capability', (0, 0))) >= _TF32_CAPABILITY


def peak_bytes() -> int | None:
  """Peak memory of this process on its first GPU, or in main memory where it has none."""
  if not sessions.num_gpus():
    return memory.peak_bytes()
  try:
    return int(tf.config.experimental.get_memory_info('GPU:0')['peak'])
  except (ValueError, RuntimeError, KeyError, tf.errors.OpError):
    return None


def total_bytes(index: int) -> int | None:
  """Memory of a GPU; None if nvidia-smi does not answer."""
  return _bytes('memory.total', index)


def check_device(check: Check) -> dict[str, Any]:
  """Reports the GPUs, or why there is none."""
  gpus = physical_gpus()
  build = dict(tf.sysconfig.get_build_info())
  finding = framework.examine_gpus([gpu.name for gpu in gpus], bool(build.get('is_cuda_build')))
  if not gpus:
    raise NotPossibleError(f'GPU: {finding.text} {finding.remedy}'.strip())
  details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
  named = ', '.join(str(one.get('device_name', 'unnamed')) for one in details)
  versions = {key: str(build[key]) for key in ('cuda_version', 'cudnn_version') if key in build}
  return {
    'where': 'GPU',
    'reason': f'{len(gpus)}: {named}; TensorFlow {tf.__version__}',
    'gpus': [{key: str(value) for key, value in one.items()} for one in details],
    'tensorflow': tf.__version__,
    **versions,
    'driver': _smi('driver_version', 0),
  }


def check_gpus_none(check: Check) -> dict[str, Any]:
  """With --gpus=none the session has no GPU, and the product is computed on the CPU."""
  sessions.configure(RuntimeConfig(gpus=NO_GPU))
  return {'where': 'CPU', **_check_placement([])}


def check_gpus_last(check: Check) -> dict[str, Any]:
  """With the last index, the session has that GPU alone."""
  last = len(require_gpus()) - 1
  sessions.configure(RuntimeConfig(gpus=str(last), gpu_memory_growth=True))
  used = {index: _used_bytes(index) for index in range(last)}
  values = {'where': 'GPU', **_check_placement([f'gpu {last}'])}
  for index, before in used.items():
    after = _used_bytes(index)
    # A context of CUDA alone takes several hundred MB.
    if before is not None and after is not None and after - before > 2**28:
      raise WrongResultError(
        f'--gpus={last} took {(after - before) / 2**20:.0f} MiB of GPU {index}'
      )
  return values


def check_gpus_absent(check: Check) -> dict[str, Any]:
  """An index that TensorFlow does not have is an error that says so."""
  absent = len(physical_gpus())
  try:
    sessions.configure(RuntimeConfig(gpus=str(absent)))
  except ConfigError as error:
    return {'where': place(), 'reason': str(error)}
  raise WrongResultError(f'--gpus={absent} was accepted, with {absent} GPUs')


def check_memory_growth(check: Check) -> dict[str, Any]:
  """With growth, a small graph leaves most of the card's memory free."""
  require_gpus()
  before, total = _used_bytes(0), total_bytes(0)
  if before is None or total is None:
    raise NotPossibleError('nvidia-smi, which tells how much memory is in use, does not answer')
  sessions.configure(RuntimeConfig(gpu_memory_growth=True))
  _check_placement(['gpu 0'])
  after = _used_bytes(0) or 0
  share = (after - before) / total
  if share > _MOST_WITH_GROWTH:
    raise WrongResultError(f'a small graph took {share:.0%} of the memory of the card')
  return {'where': 'GPU', 'reason': f'a small graph took {share:.1%} of the memory', 'share': share}


def _check_placement(gpus: list[str]) -> dict[str, Any]:
  """Multiplies two matrices; checks the devices of the session and that the product is right."""
  with tf.Graph().as_default(), sessions.open_session() as session:
    product = tf.matmul(tf.random.stateless_uniform([64, 64], [1, 2]), tf.ones([64, 64]))
    metadata = tf.RunMetadata()
    options = tf.RunOptions(output_partition_graphs=True)
    rows = session.run(product, options=options, run_metadata=metadata)
    devices = [device.name for device in session.list_devices() if device.device_type == 'GPU']
  on_gpu = any('GPU' in node.device for part in metadata.partition_graphs for node in part.node)
  if len(devices) != len(gpus) or on_gpu != bool(gpus):
    raise WrongResultError(f'the session has {devices or "no GPU"}, expected {gpus or "none"}')
  # Rows of a product with ones are equal; each is a sum of 64 numbers of 0 to 1.
  if not 16 < float(rows.mean()) < 48:
    raise WrongResultError(f'a mean of sums of 64 uniform numbers is {rows.mean()}, expected 32')
  return {'reason': f'GPUs of the session: {", ".join(devices) or "none"}', 'devices': devices}


def _used_bytes(index: int) -> int | None:
  return _bytes('memory.used', index)


def _bytes(query: str, index: int) -> int | None:
  mebibytes = _smi(query, index)
  return int(mebibytes) * 2**20 if mebibytes and mebibytes.isdigit() else None


def _smi(query: str, index: int) -> str | None:
  """Returns what nvidia-smi says about a GPU; None if it is missing or does not answer."""
  command = ['nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader,nounits', f'-i={index}']
  try:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SMI_SECONDS)
  except (OSError, subprocess.TimeoutExpired):
    return None
  text = done.stdout.strip()
  return text if done.returncode == 0 and text else None
