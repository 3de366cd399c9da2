"""Rows about training steps: precisions, compilers, several devices, memory."""

import time
from typing import Any

import numpy as np

from benchmarks.gpu_check import devices, steps
from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError
from benchmarks.gpu_check.settings import Check
from vgg_slim.compat import tf
from vgg_slim.configs.distribution import DistributionConfig
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.nets.summary import format_bytes
from vgg_slim.training import preflight
from vgg_slim.training.distribution import Distribution, create_distribution

# Largest relative difference of a loss, and of the gradient of a variable (norm of the difference
# over its norm). In float32 two libraries sum in another order: 1e-6 per sum, up to 1e-4 in the
# gradients of the first layers. TF32 and float16 round factors to 11 bits (5e-4), bfloat16 to 8
# bits (4e-3), in every layer forward and back, and where a rounding error changes the sign of the
# input of a ReLU or the largest value of a pool, the gradient takes another path. A wrong gradient
# is off by 1.
_TOLERANCE = {
  'float32': steps.Tolerance(1e-4, 1e-3),
  'tf32': steps.Tolerance(0.01, 0.15),
  'float16': steps.Tolerance(0.01, 0.15),
  'bfloat16': steps.Tolerance(0.05, 0.6),
}
# Batch norm of few images amplifies rounding errors: a change of the pixels by 1e-6 of their values
# changed a gradient of the thin ResNet50 by up to 1.7e-2, and the second loss by 3e-3. Of the thin
# VGG16 it changed a gradient by 3e-6.
_BATCH_NORM_TOLERANCE = steps.Tolerance(0.02, 0.15)
# Equal up to the order of the sums over the images of the batch.
_DEVICES_TOLERANCE = _TOLERANCE['float32']

# A scale of the loss whose inverse is still a normal number, and a factor of the pixels that makes
# gradients of about 100: their product overflows even in float32, in which a CPU computes them.
_OVERFLOWING_SCALE = 2.0**125
_LARGE_PIXELS = 100.0
_TIMED_STEPS = 5


def check_float32(check: Check) -> dict[str, Any]:
  """Float32 without TF32."""
  _use_tf32(False)
  return _check(check, check.size.model, _TOLERANCE['float32'])


def check_batch_norm(check: Check) -> dict[str, Any]:
  """Float32 without TF32, of a network with batch norm."""
  _use_tf32(False)
  return _check(check, check.size.batch_norm_model, _BATCH_NORM_TOLERANCE)


def check_tf32(check: Check) -> dict[str, Any]:
  """TF32, which TensorFlow uses for float32 unless it is switched off."""
  if not devices.supports_tf32():
    raise NotPossibleError('this GPU has no TF32, which began with compute capability 8.0')
  _use_tf32(True)
  return _check(check, check.size.model, _TOLERANCE['tf32'])


def check_float16(check: Check) -> dict[str, Any]:
  """Float16 with loss scaling."""
  devices.require_gpus()
  return _check(check, check.size.model, _TOLERANCE['float16'], 'float16')


def check_bfloat16(check: Check) -> dict[str, Any]:
  """Bfloat16, which has an effect on processors only."""
  return _check(check, check.size.model, _TOLERANCE['bfloat16'], 'bfloat16')


def check_xla(check: Check) -> dict[str, Any]:
  """XLA, in float32 without TF32."""
  _use_tf32(False)
  taken = steps.take_steps(check, check.size.model, RuntimeConfig(xla=True))
  if not taken.clusters:
    raise WrongResultError('XLA compiled nothing')
  compared = steps.compare(check, check.size.model, taken, _TOLERANCE['float32'])
  return {'where': devices.place(), **compared, 'clusters': taken.clusters}


def check_loss_scale(check: Check) -> dict[str, Any]:
  """A step whose scaled gradients overflow changes no weight, and halves the scale."""
  with steps.open_training(check, check.size.model, RuntimeConfig('float16')) as opened:
    session, ops, images, labels = opened
    pixels, classes = check.images()[0], check.labels()[0]
    scale = _find_variable('current_loss_scale')
    weights = tf.trainable_variables()[0]
    started = float(session.run(scale))
    scale.load(_OVERFLOWING_SCALE, session)
    before = session.run(weights)
    session.run(ops.train_op, {images: pixels * _LARGE_PIXELS, labels: classes})
    after, halved, step = session.run([weights, scale, ops.global_step])
    scale.load(started, session)
    session.run(ops.train_op, {images: pixels, labels: classes})
    changed = float(np.max(np.abs(session.run(weights) - after)))
  if not np.array_equal(before, after) or halved != _OVERFLOWING_SCALE / 2:
    raise WrongResultError(
      f'an overflow changed weights by {np.max(np.abs(after - before)):.1e} and the scale by a '
      f'factor of {halved / _OVERFLOWING_SCALE:g}'
    )
  if step != 1 or not 0 < changed < np.inf:
    raise WrongResultError(f'step {step} after one step; the next changed weights by {changed}')
  text = f'skipped and halved; the next step, with a scale of {started:g}, changed the weights'
  return {'where': devices.place(), 'reason': text, 'loss_scale': started}


def check_data_format(check: Check) -> dict[str, Any]:
  """Compares the layout optimizer, which rewrites NHWC as NCHW for GPUs, with the graph as built.

  The project has no option for the format: networks are built in NHWC.
  """
  devices.require_gpus()
  _use_tf32(False)

  def without_optimizer(proto: tf.ConfigProto) -> Distribution:
    rewriters = proto.graph_options.rewrite_options
    rewriters.layout_optimizer = type(rewriters).OFF
    return Distribution(session_config=proto)

  model = check.size.model
  values, formats = {}, []
  for name, distribute in (('optimized', steps.one_device), ('as_built', without_optimizer)):
    taken = steps.take_steps(check, model, distribute=distribute)
    values[name] = steps.compare(check, model, taken, _TOLERANCE['float32'])
    formats.append({key for key in taken.kinds if key.startswith('N')})
  text = f'convolutions ran in {" and ".join(sorted(formats[0]))}; without the optimizer in NHWC'
  if formats[1] != {'NHWC'}:
    raise WrongResultError(f'without the layout optimizer, convolutions ran in {formats[1]}')
  return {'where': 'GPU', 'reason': text, **values}


def check_two_logical_devices(check: Check) -> dict[str, Any]:
  """Trains on two halves of one GPU, or on two virtual CPUs, and on one."""
  _use_tf32(False)
  taken = steps.take_steps(check, check.size.model, distribute=_split_device)
  return _compare_devices(check, taken)


def check_two_gpus(check: Check) -> dict[str, Any]:
  """Trains on two GPUs, which exchange their gradients by NCCL."""
  devices.require_gpus(2)
  _use_tf32(False)
  config = DistributionConfig(num_devices=2)
  taken = steps.take_steps(
    check, check.size.model, distribute=lambda proto: create_distribution(config, None, proto)
  )
  return _compare_devices(check, taken)


def check_peak_memory(check: Check) -> dict[str, Any]:
  """Measures memory and time of a step of the batch that is timed."""
  batch_size, model = check.size.timed_batch_size, check.size.model
  shape = [batch_size, check.size.image_size, check.size.image_size, 3]
  pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  classes = np.zeros(batch_size, np.int32)
  with steps.open_training(check, model, RuntimeConfig(), batch_size=batch_size) as opened:
    session, ops, images, labels = opened
    seconds = []
    for _ in range(_TIMED_STEPS):
      started = time.perf_counter()
      session.run(ops.train_op, {images: pixels, labels: classes})
      seconds.append(time.perf_counter() - started)
  config = check.train_config(model, batch_size=batch_size)
  peak, estimate = devices.peak_bytes(), preflight.needed_memory(config, batch_size)
  if peak is None:
    raise NotPossibleError('TensorFlow does not tell how much memory it used')
  text = (
    f'{format_bytes(peak)} for a batch of {batch_size} (estimate: '
    f'{format_bytes(estimate)}); a step takes {1e3 * min(seconds):.1f} ms with its copy of images'
  )
  return {
    'where': devices.place(),
    'reason': text,
    'peak_bytes': peak,
    'estimated_bytes': estimate,
    'batch_size': batch_size,
    'step_seconds': seconds,
  }


def _check(
  check: Check, model: str, tolerance: steps.Tolerance, precision: str = 'float32'
) -> dict[str, Any]:
  taken = steps.take_steps(check, model, RuntimeConfig(precision))
  if not taken.kinds.get(precision):
    others = ', '.join(kind for kind in taken.kinds if not kind.startswith('N'))
    raise NotPossibleError(
      f'--precision={precision} has no effect on this {devices.place()}: all convolutions ran in '
      f'{others}'
    )
  compared = steps.compare(check, model, taken, tolerance)
  return {'where': devices.place(), **compared, 'peak_bytes': devices.peak_bytes()}


def _compare_devices(check: Check, taken: steps.Steps) -> dict[str, Any]:
  compared = steps.compare(check, check.size.model, taken, _DEVICES_TOLERANCE)
  return {'where': devices.place(), **compared}


def _split_device(proto: tf.ConfigProto) -> Distribution:
  """Two replicas on one physical device.

  NCCL refuses two ranks on one GPU, so the gradients are summed on one of the two.
  """
  gpus = devices.physical_gpus()
  if not gpus:
    return create_distribution(DistributionConfig(num_devices=2), None, proto)
  half = int(0.4 * (devices.total_bytes(0) or 2**33) / 2**20)  # MiB; 8 GiB where it is unknown
  # Of TensorFlow 2's runtime, which the strategy asks for devices, and of the session.
  limits = [tf.config.LogicalDeviceConfiguration(memory_limit=half)] * 2
  tf.config.set_visible_devices(gpus[:1], 'GPU')
  tf.config.set_logical_device_configuration(gpus[0], limits)
  proto.gpu_options.visible_device_list = '0'
  proto.gpu_options.experimental.virtual_devices.add(memory_limit_mb=[half, half])
  strategy = tf.distribute.MirroredStrategy(
    ['/gpu:0', '/gpu:1'], cross_device_ops=tf.distribute.ReductionToOneDevice()
  )
  return Distribution(strategy, proto)


def _use_tf32(enabled: bool) -> None:
  tf.config.experimental.enable_tensor_float_32_execution(enabled)


def _find_variable(name: str) -> tf.Variable:
  found = [variable for variable in tf.global_variables() if name in variable.op.name]
  if len(found) != 1:
    raise WrongResultError(f'{len(found)} variables are named {name}, expected one')
  return found[0]
