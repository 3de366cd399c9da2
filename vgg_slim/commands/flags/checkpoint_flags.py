"""The flags that name a checkpoint. Loads TensorFlow only to search a folder."""

import os

from absl import flags

from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.commands import invocation
from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()


def define() -> None:
  """Defines --train_dir and --checkpoint_path."""
  flags.DEFINE_string(
    'train_dir', None, 'Folder of a training run, whose newest checkpoint is used.'
  )
  flags.DEFINE_string(
    'checkpoint_path', None, 'Prefix of a checkpoint, as an alternative to --train_dir.'
  )


def path() -> str:
  """Returns the prefix of a checkpoint, or the train_dir, that the flags name.

  Raises:
    ConfigError: neither flag is given, or both are.
  """
  given = [flags.FLAGS[name].value for name in ('train_dir', 'checkpoint_path')]
  paths = [str(value) for value in given if value]
  if len(paths) != 1:
    raise ConfigError('Give either --train_dir or --checkpoint_path.')
  return paths[0]


def load_contract() -> tuple[str, contract.Contract]:
  """Returns the prefix of the checkpoint that the flags name, and its contract.

  Raises:
    ConfigError: neither flag is given, or both are.
    CheckpointError: see `contract.load_contract`.
  """
  return contract.load_contract(resolve(path()))


def resolve(path: str) -> str:
  """Returns the prefix of the checkpoint that `path` refers to, or `path` if there is none.

  Args:
    path: prefix of a checkpoint, one of its files, or a folder, which stands for its newest intact
      checkpoint. Newer, damaged ones are reported in warnings.

  Raises:
    CheckpointError: all checkpoints in the folder are damaged.
  """
  if not os.path.isdir(path):
    return prefixes.find_prefix(path) or path
  invocation.load_tensorflow()
  from vgg_slim.checkpoints import search

  return search.find(path) or path
