"""The flags that name a checkpoint or weights. Loads TensorFlow only to search or to import."""

import os
import pathlib
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim.checkpoints import prefixes
from vgg_slim.commands import invocation, progress
from vgg_slim.configs.net import NetConfig
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs

if TYPE_CHECKING:  # takes as long to import as all other modules of a command's start
  from vgg_slim.checkpoints.contract import Contract

flags.disclaim_key_flags()


def define() -> None:
  """Defines --train_dir and --checkpoint_path."""
  flags.DEFINE_string(
    'train_dir', None, 'Folder of a training run, whose newest checkpoint is used.'
  )
  flags.DEFINE_string(
    'checkpoint_path', None, 'Prefix of a checkpoint, as an alternative to --train_dir.'
  )


def define_weights() -> None:
  """Defines --weights as a further source, --model and --weights_dir."""
  flags.DEFINE_string(
    'weights',
    None,
    'Published weights, as an alternative to a checkpoint: imagenet for those of --model, a name '
    'that tools/weights lists, or a file. They are downloaded once.',
  )
  flags.DEFINE_string(
    'model',
    NetConfig.model,
    f'Network of --weights: {", ".join(specs.MODEL_NAMES)}. Checkpoints know theirs.',
  )
  define_weights_dir()


def define_weights_dir() -> None:
  """Defines --weights_dir."""
  flags.DEFINE_string(
    'weights_dir',
    None,
    'Folder for downloads of --weights and the checkpoints made of them. Defaults to '
    'vgg_slim/weights in $XDG_CACHE_HOME or ~/.cache.',
  )


def weights_dir() -> pathlib.Path:
  """Returns the folder of --weights_dir."""
  from vgg_slim.data.conversion import default_data

  return pathlib.Path(flags.FLAGS.weights_dir or default_data.cache_folder() / 'weights')


def path(needs_head: bool = True) -> str:
  """Returns the prefix of a checkpoint, or the train_dir, that the flags name.

  Args:
    needs_head: whether the head of published weights is needed.

  Raises:
    CheckpointError: published weights are neither here nor can they be downloaded or imported.
    ConfigError: no flag is given, or several are, or --model with a checkpoint.
  """
  names = [name for name in ('train_dir', 'checkpoint_path', 'weights') if name in flags.FLAGS]
  given = {name: str(value) for name in names if (value := flags.FLAGS[name].value)}
  if len(given) != 1:
    raise ConfigError(f'Give exactly one of --{", --".join(names)}.')
  ((name, value),) = given.items()
  if name == 'weights':
    return prepare_weights(value, flags.FLAGS.model, needs_head)
  check_model_is_free(name)
  return value


def check_model_is_free(source: str) -> None:
  """Raises ConfigError if --model is given beside the flag `source`, whose network is known."""
  if 'model' in flags.FLAGS and flags.FLAGS['model'].present:
    raise ConfigError(
      f'--model={flags.FLAGS["model"].value}: no effect with --{source}, which knows its network. '
      'Leave it out.'
    )


def prepare_weights(weights: str, model: str, needs_head: bool) -> str:
  """Returns the prefix of a checkpoint of published weights, made on first use.

  Args:
    weights: value of --weights.
    model: name of the network.
    needs_head: whether the head is needed.

  Raises:
    CheckpointError: the weights are neither here nor can they be downloaded, or imported.
    ConfigError: no published weights fit.
  """
  from vgg_slim.weights import published

  is_file = os.path.isfile(weights)
  if not is_file:
    published.choose(weights, model, needs_head)
  invocation.load_tensorflow()
  from vgg_slim.weights import pretrained

  with progress.show('Importing' if is_file else 'Downloading', unit='MB') as report:
    return pretrained.prepare(weights, model, needs_head, weights_dir(), report, progress.say)


def load_contract(needs_head: bool = True) -> tuple[str, 'Contract']:
  """Returns the prefix of the checkpoint that the flags name, and its contract.

  Arguments and errors are those of `path` and `contract.load_contract`.
  """
  from vgg_slim.checkpoints import contract

  return contract.load_contract(resolve(path(needs_head)))


def resolve(path: str) -> str:
  """Returns the prefix of the checkpoint that `path` refers to, or `path` if there is none.

  Args:
    path: prefix of a checkpoint, one of its files, or a folder, which stands for its newest intact
      checkpoint. Newer, damaged ones are reported in warnings.

  Raises:
    CheckpointError: all checkpoints in the folder are damaged.
  """
  if not (os.path.isdir(path) and prefixes.list_candidates(path)):
    return prefixes.find_prefix(path) or path
  invocation.load_tensorflow()
  from vgg_slim.checkpoints import search

  return search.find(path) or path
