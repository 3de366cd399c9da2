"""Checks of TensorFlow: whether tf-slim works with it, and whether it sees GPUs."""

import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding
from vgg_slim.doctor.machine import PINNED

_DRIVER = 'proc/driver/nvidia/version'


def examine_all() -> Iterator[Finding]:
  """Runs all checks of this module."""
  yield examine_tf_slim()
  gpus = [device.name for device in tf.config.list_physical_devices('GPU')]
  yield examine_gpus(gpus, bool(tf.sysconfig.get_build_info().get('is_cuda_build')))


def examine_tf_slim() -> Finding:
  """Runs batch norm in training mode, the one tf-slim layer that needs the alias of compat."""
  remedy = 'Install the versions of requirements_lock.txt.'
  try:
    with tf.Graph().as_default(), sessions.open_session() as session:
      values = slim.batch_norm(tf.constant([[[[1.0]]], [[[3.0]]]]), is_training=True)
      session.run(tf.global_variables_initializer())
      got = session.run(values)
  # Incompatible versions fail with any kind of exception.
  except Exception as error:
    return Finding(FAIL, 'tf-slim', f'batch norm: {type(error).__name__}: {error}', remedy)
  if not np.allclose(got.ravel(), [-1.0, 1.0], atol=0.01):  # epsilon of 0.001 changes it by 0.0005
    return Finding(
      FAIL, 'tf-slim', f'batch norm of 1 and 3 is {got.ravel()}, expected about -1 and 1.', remedy
    )
  return Finding(OK, 'tf-slim', f'batch norm works on TensorFlow {tf.__version__}')


def examine_precision(precision: str) -> Finding:
  """Checks that the machine computes in the precision of a run, which is also its validation's."""
  if sessions.computed_precision(precision) != precision:
    reason = 'there is no GPU' if precision == 'float16' else 'the processor lacks AVX-512'
    text = f'{precision} has no effect here: {reason}, so TensorFlow computes in float32.'
    return Finding(WARN, 'precision', text, 'Leave --precision out.')
  if precision == 'bfloat16' and sessions.fast_precision() != precision:
    text = 'bfloat16, for which the processor has no instructions'
    return Finding(WARN, 'precision', text, 'Leave --precision out, or compare: tools/benchmark.')
  return Finding(OK, 'precision', f'{precision}, in training and validation')


def examine_gpus(
  gpus: list[str],
  is_cuda_build: bool,
  root: pathlib.Path = pathlib.Path('/'),
  environment: Mapping[str, str] = os.environ,
) -> Finding:
  """Reports the GPUs that TensorFlow sees, or why it sees none.

  Args:
    gpus: names of the GPUs that TensorFlow sees.
    is_cuda_build: whether TensorFlow was built with CUDA.
    root: folder that contains proc.
    environment: environment variables of the process.
  """
  if gpus:
    return Finding(OK, 'GPU', f'{len(gpus)}: {", ".join(gpus)}')
  if not (root / _DRIVER).exists():
    return Finding(OK, 'GPU', 'none: this machine has no NVIDIA driver; training uses the CPU')
  visible = environment.get('CUDA_VISIBLE_DEVICES')
  # CUDA ignores everything after an invalid index such as -1.
  if visible is not None and visible.partition(',')[0].strip() in ('', '-1'):
    text = f'hidden by CUDA_VISIBLE_DEVICES={visible!r}'
    return Finding(WARN, 'GPU', text, 'Unset it to train on the GPU.')
  if not is_cuda_build:
    text = 'there is an NVIDIA driver, but this TensorFlow was built without CUDA.'
  else:
    text = 'there is an NVIDIA driver, but TensorFlow cannot load CUDA or cuDNN.'
  return Finding(
    WARN,
    'GPU',
    text,
    'If the versions agree, install CUDA: '
    f"pip install 'tensorflow[and-cuda]=={PINNED['tensorflow']}'",
  )
