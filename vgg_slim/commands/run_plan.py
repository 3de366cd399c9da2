"""The run that the flags of tools/train mean: a new one, or one that is resumed.

A run that has a checkpoint is resumed: its `config.json` says everything that the command does not
name, and what the command does name is compared with it. Otherwise the run is new, and the defaults
of the flags, the data set and the checkpoint that it starts from say the rest.
"""

import os
from typing import NamedTuple

from vgg_slim.checkpoints import prefixes
from vgg_slim.commands import invocation
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config, resuming
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import CheckpointError, DataError


class RunPlan(NamedTuple):
  """A run before it starts.

  Attributes:
    config: of the run.
    manifest: of its data set.
    train_dir: its folder.
    changes: a line for each setting that is another one than before.
    is_resumed: whether it goes on from a checkpoint of its own.
  """

  config: TrainConfig
  manifest: Manifest
  train_dir: str
  changes: tuple[str, ...] = ()
  is_resumed: bool = False


def plan_run(
  data_dir: str | None,
  train_dir: str | None,
  start: config_flags.Start | None = None,
  overwrite: bool = False,
) -> RunPlan:
  """Finds out which run the flags mean.

  Args:
    data_dir: what --data_dir says; None for that of the run that is resumed, or the digits.
    train_dir: folder of the run; None for runs/DATA_MODEL.
    start: the checkpoint that a new run starts from; None for that of the flags.
    overwrite: whether the run that is in the folder is removed, so that a new one is meant.

  Raises:
    CheckpointError: a run that cannot be resumed with these flags, or a `config.json` or contract
      that cannot be read.
    ConfigError: values out of range or that do not go together.
    DataError: there is no such data set.
  """
  new = None if train_dir else plan_new_run(data_dir, None, start)
  train_dir = train_dir or new.train_dir
  begun = None if overwrite else _begun_run(train_dir)
  if begun is None:
    return new or plan_new_run(data_dir, train_dir, start)
  data_dir = os.path.abspath(data_dir or _find_data(begun, train_dir))
  manifest = manifests.read_manifest(data_dir)
  if manifest.fingerprint != begun.data_fingerprint:
    raise CheckpointError(
      f'The run in {train_dir} was started on another data set than the one that is in {data_dir} '
      'now: its images, classes or splits differ. Give the --data_dir of the first, or start a new '
      f'run from its weights: --checkpoint_path={train_dir} with another --train_dir.'
    )
  given = {
    'data_dir': data_dir,
    **config_flags.given_settings(begun, manifest),
  }
  resumed, changes = resuming.resume(begun, given, train_dir)
  return RunPlan(resumed, manifest, train_dir, changes, is_resumed=True)


def plan_new_run(
  data_dir: str | None, train_dir: str | None, start: config_flags.Start | None = None
) -> RunPlan:
  """The run that the flags mean where there is none yet; arguments and errors as `plan_run`."""
  data_dir = os.path.abspath(data_dir or _digits_dir())
  manifest = manifests.read_manifest(data_dir)
  new = config_flags.train_config_from_flags(data_dir, manifest, start)
  return RunPlan(new, manifest, train_dir or f'runs/{manifest.dataset}_{new.net.model}')


def _begun_run(train_dir: str) -> TrainConfig | None:
  """The run that has a checkpoint in `train_dir`."""
  if not prefixes.list_candidates(train_dir):
    return None
  return config.read_train_config(train_dir)


def _find_data(begun: TrainConfig, train_dir: str) -> str:
  """The data set of a run that has begun; the digits are made again where they are gone."""
  from vgg_slim.data.conversion import default_data

  if os.path.isdir(begun.data_dir):
    return begun.data_dir
  if begun.data_dir == str(default_data.digits_path(default_data.cache_folder())):
    return _digits_dir()
  raise DataError(
    f'The run in {train_dir} was trained on {begun.data_dir}, which is not there. Say with '
    '--data_dir where the data set is now.'
  )


def _digits_dir() -> str:
  invocation.load_tensorflow()
  from vgg_slim.data.conversion import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))
