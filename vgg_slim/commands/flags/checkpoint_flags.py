"""The flags that name a checkpoint. Loads TensorFlow only to look into a folder."""

import os

from absl import flags

from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.commands import invocation
from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()


def define() -> None:
  """--train_dir and --checkpoint_path."""
  flags.DEFINE_string('train_dir', None, 'Folder of a training run, for its newest checkpoint.')
  flags.DEFINE_string('checkpoint_path', None, 'Prefix of a checkpoint, in its place.')


def load_contract() -> tuple[str, contract.Contract]:
  """The checkpoint's prefix and its contract.

  Raises:
    ConfigError: neither flag is given, or both.
    CheckpointError: as `contract.load_contract`.
  """
  given = [flags.FLAGS[name].value for name in ('train_dir', 'checkpoint_path')]
  given = [value for value in given if value]
  if len(given) != 1:
    raise ConfigError('give one of --train_dir and --checkpoint_path.')
  return contract.load_contract(resolve(given[0]))


def resolve(path: str) -> str:
  """The prefix of the checkpoint that `path` means; `path` itself where there is none.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, for its newest checkpoint that is
      whole; newer ones that are damaged are named in warnings.

  Raises:
    CheckpointError: the folder holds damaged checkpoints only.
  """
  if not os.path.isdir(path):
    return prefixes.find_prefix(path) or path
  invocation.load_tensorflow()
  from vgg_slim.checkpoints import search

  return search.find(path) or path
