"""Readers of TensorFlow's checkpoints, which the command itself reads, without a child process."""

import functools
import pathlib
import subprocess
import sys
from collections.abc import Callable

from tests.fuzzing import containers, damage
from tests.fuzzing.execution import Reader
from vgg_slim.checkpoints import search
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import slim_ckpt

# In a process of its own: children of one with a session would lack its threads.
_WRITE = """
import sys
from vgg_slim.compat import tf
with tf.Graph().as_default(), tf.Session() as session:
  kernel = tf.get_variable('vgg_a/conv1/weights', [3, 3, 3, 2])
  tf.get_variable('vgg_a/conv1/biases', [2])
  tf.train.create_global_step()
  session.run(tf.global_variables_initializer())
  tf.train.Saver().save(session, sys.argv[1], write_meta_graph=False)
  version = tf.train.SaverDef.V1
  tf.train.Saver(write_version=version).save(session, sys.argv[2], write_meta_graph=False)
"""


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest checkpoint into `folder`; returns the readers of its files by name."""
  prefix = str(folder / 'model.ckpt-1')
  v1 = str(folder / 'v1.ckpt')
  command = [sys.executable, '-c', _WRITE, prefix, v1]
  subprocess.run(command, check=True, capture_output=True, timeout=300)
  in_table = damage.either(damage.of_bytes, containers.in_table(damage.of_bytes))
  read = functools.partial(_read, prefix)
  return {
    'checkpoint.index': Reader(pathlib.Path(f'{prefix}.index'), read, in_table),
    'checkpoint V1': Reader(pathlib.Path(v1), functools.partial(_read, v1), in_table),
    'checkpoint.data': Reader(pathlib.Path(f'{prefix}.data-00000-of-00001'), read),
  }


def _read(prefix: str) -> None:
  refusals = [search.find_damage(prefix)]
  reads: tuple[Callable[[str], object], ...] = (search.shapes, search.global_step, slim_ckpt.read)
  for read in reads:
    try:
      read(prefix)
    except CheckpointError as error:
      refusals.append(str(error))
  if any(refusals):
    raise CheckpointError('; '.join(map(str, refusals)))
