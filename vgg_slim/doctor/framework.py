"""TensorFlow itself: whether tf-slim works on it, and which devices it sees."""

import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding

_DRIVER = 'proc/driver/nvidia/version'


def examine_all() -> Iterator[Finding]:
  """Everything here."""
  yield examine_tf_slim()
  gpus = [device.name for device in tf.config.list_physical_devices('GPU')]
  yield examine_gpus(gpus, bool(tf.sysconfig.get_build_info().get('is_cuda_build')))


def examine_tf_slim() -> Finding:
  """Runs the one layer of tf-slim that needs the alias of compat: batch norm, in training."""
  remedy = 'Install the versions of requirements_lock.txt.'
  try:
    with tf.Graph().as_default(), sessions.open_session() as session:
      values = slim.batch_norm(tf.constant([[[[1.0]]], [[[3.0]]]]), is_training=True)
      session.run(tf.global_variables_initializer())
      got = session.run(values)
  # Versions that do not go together fail in ways that nobody can list.
  except Exception as error:
    return Finding(FAIL, 'tf-slim', f'batch norm: {type(error).__name__}: {error}', remedy)
  if not np.allclose(got.ravel(), [-1.0, 1.0], atol=0.01):  # its epsilon of 0.001 takes 0.0005
    return Finding(FAIL, 'tf-slim', f'batch norm of 1 and 3 is {got.ravel()}.', remedy)
  return Finding(OK, 'tf-slim', f'batch norm works on TensorFlow {tf.__version__}')


def examine_gpus(
  gpus: list[str],
  is_cuda_build: bool,
  root: pathlib.Path = pathlib.Path('/'),
  environment: Mapping[str, str] = os.environ,
) -> Finding:
  """Which GPUs TensorFlow sees, or why none.

  Args:
    gpus: names of those that it sees.
    is_cuda_build: whether this TensorFlow was built for NVIDIA's.
    root: where /proc is.
    environment: of this process.
  """
  if gpus:
    return Finding(OK, 'GPU', f'{len(gpus)}: {", ".join(gpus)}')
  if not (root / _DRIVER).exists():
    return Finding(OK, 'GPU', 'none: this machine has no NVIDIA driver; the CPU trains')
  visible = environment.get('CUDA_VISIBLE_DEVICES')
  if visible is not None and not visible.strip('-1 '):
    text = f'hidden by CUDA_VISIBLE_DEVICES={visible!r}'
    return Finding(WARN, 'GPU', text, 'Unset it to train on the GPU.')
  if not is_cuda_build:
    text = 'there is an NVIDIA driver, but this TensorFlow is for CPUs alone.'
  else:
    text = 'there is an NVIDIA driver, but TensorFlow cannot load CUDA or cuDNN.'
  return Finding(
    WARN, 'GPU', text, "pip install 'vgg_slim[gpu]' brings them; then compare versions."
  )
