"""The run that the flags of tools/train describe: a new one, or one that is resumed.

A run that has a checkpoint is resumed: its `config.json` provides every setting that the command
line does not give, and those that it gives are compared with it. Otherwise the run is new, and the
other settings come from the flags' defaults, the data set and the checkpoint that it starts from.
"""

import contextlib
import os
from typing import NamedTuple

from absl import flags

from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.commands import phases
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config, resuming
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.conversion import data_of_run
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import CheckpointError


class RunPlan(NamedTuple):
  """A run before it starts.

  Attributes:
    config: config of the run.
    manifest: manifest of its data set.
    train_dir: folder of the run.
    ignored: one line per given value that a resumed run ignores.
    is_resumed: whether the run continues from its own checkpoint.
  """

  config: TrainConfig
  manifest: Manifest
  train_dir: str
  ignored: tuple[str, ...] = ()
  is_resumed: bool = False


def plan_run(
  data_dir: str | None,
  train_dir: str | None,
  start: config_flags.Start | None = None,
  overwrite: bool = False,
) -> RunPlan:
  """Determines which run the flags describe.

  Args:
    data_dir: value of --data_dir; None for that of the run that is resumed, or the digits.
    train_dir: folder of the run; None for the default, see `_default_folder`.
    start: checkpoint that a new run starts from; None for that of --checkpoint_path.
    overwrite: whether a run in the folder is removed, so that the run is new.

  Raises:
    CheckpointError: the run cannot be resumed with these flags, or a `config.json` or contract
      cannot be read.
    OutputError: TensorFlow would not find a checkpoint in a folder of this name.
    ConfigError: values are out of range or cannot be combined.
    DataError: there is no such data set.
  """
  if train_dir:
    prefixes.check_output(train_dir, '--train_dir')
  new = None
  if not train_dir:
    new = plan_new_run(data_dir, None, start)
    train_dir = new.train_dir
  begun = None if overwrite else _begun_run(train_dir)
  if begun is None:
    return new or plan_new_run(data_dir, train_dir, start)
  data_dir = os.path.abspath(data_dir or data_of_run.find(begun.data_dir, train_dir))
  manifest = manifests.read_manifest(data_dir)
  if manifest.fingerprint != begun.data_fingerprint:
    raise CheckpointError(
      f'The run in {train_dir} was started on a data set with other images, classes or splits than '
      f'{data_dir} has now. Give another --train_dir for a new run (with '
      f'--checkpoint_path={train_dir} it starts from the weights of this run), or the --data_dir '
      'that this run was started with.'
    )
  given = {
    'data_dir': data_dir,
    **config_flags.given_settings(begun, manifest),
  }
  resumed, ignored = resuming.resume(begun, given, train_dir)
  return RunPlan(resumed, manifest, train_dir, ignored, is_resumed=True)


def plan_new_run(
  data_dir: str | None, train_dir: str | None, start: config_flags.Start | None = None
) -> RunPlan:
  """Returns the new run that the flags describe; arguments and errors are those of `plan_run`."""
  name = os.path.basename(os.path.abspath(data_dir)) if data_dir else ''
  data_dir = os.path.abspath(data_dir or _digits_dir())
  manifest = manifests.read_manifest(data_dir)
  if start is None:
    _check_flags(data_dir, manifest)
  new = config_flags.train_config_from_flags(data_dir, manifest, start)
  return RunPlan(new, manifest, train_dir or _default_folder(name, manifest, new.net.model))


def _default_folder(name: str, manifest: Manifest, model: str) -> str:
  """Returns runs/DATA_MODEL, where DATA is the name of the data set's folder, or digits.

  DATA lacks the characters with which TensorFlow would not find the checkpoints.

  Until 0.2 DATA was the kind of the data set, such as `folder`. A run on this data set in a folder
  of that name is still found, unless the folder of today's name exists.
  """
  before = f'runs/{manifest.dataset}_{model}'
  plain = prefixes.without_pattern(name)
  folder = f'runs/{plain}_{model}' if plain else before
  if os.path.exists(folder):
    return folder
  return before if _is_of(before, manifest) else folder


def _is_of(folder: str, manifest: Manifest) -> bool:
  """Whether the run in a folder, or its first phase, was started on a data set."""
  for train_dir in (folder, *phases.find(folder)[:1]):
    with contextlib.suppress(CheckpointError):  # no run, or not one of this version
      if config.read_train_config(train_dir).data_fingerprint == manifest.fingerprint:
        return True
  return False


def _check_flags(data_dir: str, manifest: Manifest) -> None:
  """Raises ConfigError for invalid flags before --checkpoint_path is searched with TensorFlow.

  TensorFlow takes seconds to load. Until it tells which checkpoint of a folder is intact, the
  newest one by name stands for it. Published weights are described before they are downloaded.
  """
  expected = config_flags.expected_start(manifest.num_classes)
  if expected:
    config_flags.train_config_from_flags(data_dir, manifest, expected)
  path = flags.FLAGS.checkpoint_path
  prefix = prefixes.find_prefix(path) if path and os.path.isdir(path) else None
  if prefix:
    with contextlib.suppress(CheckpointError):  # the search may find another checkpoint
      start = config_flags.Start(prefix, contract.find_contract(prefix))
      config_flags.train_config_from_flags(data_dir, manifest, start)


def _begun_run(train_dir: str) -> TrainConfig | None:
  """Returns the config of the run in `train_dir`; None if it has no checkpoint."""
  if not prefixes.list_candidates(train_dir):
    return None
  return config.read_train_config(train_dir)


def _digits_dir() -> str:
  from vgg_slim.data.conversion import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))
