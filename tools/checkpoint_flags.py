"""The flags that name a checkpoint. Loads no TensorFlow."""

from absl import flags

from vgg_slim.errors import ConfigError
from vgg_slim.weights import contract

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
  return contract.load_contract(given[0])
