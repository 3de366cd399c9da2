"""Checkpoints that can be evaluated: of a training run, or imported. No TensorFlow."""

import dataclasses
import pathlib

from vgg_slim.checkpoints import contract
from vgg_slim.configs import config
from vgg_slim.configs.config import NetConfig, PreprocessingConfig
from vgg_slim.errors import CheckpointError


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A checkpoint and all that is known of its network, see `runner.Trained`.

  Attributes:
    checkpoint: its prefix.
    data_dir: the data set of its training; None for an imported one.
    test_scale: the smaller side Q of the checkpoint's contract, in pixels.
  """

  checkpoint: str
  net: NetConfig
  preprocessing: PreprocessingConfig
  class_names: tuple[str, ...] | None
  data_dir: str | None
  test_scale: int


def find_candidate(path: str, train_dir: str | None = None) -> Candidate:
  """Finds a checkpoint and reads what it is of.

  Args:
    path: a train_dir, for its newest checkpoint, or the prefix of a checkpoint.
    train_dir: the run that `path` is of; by default the folder it is in.

  Raises:
    CheckpointError: no checkpoint, nothing that says what it is of, or it has no head.
  """
  if train_dir is not None:
    config.read_train_config(train_dir)  # says what is wrong with it
  prefix, found = contract.load_contract(path)
  folder = pathlib.Path(train_dir or pathlib.Path(prefix).parent)
  if (folder / config.CONFIG_FILE).is_file():
    trained = config.read_train_config(str(folder))
    contract.check_preprocessing(
      found, trained.preprocessing.rgb_mean, trained.preprocessing.pixel_scale, prefix
    )
    # Of the pixels the contract is the one source, as it is for prediction and exports.
    fed = dataclasses.replace(
      trained.preprocessing, resize_filter=found.resize_filter, stored_side=found.stored_side
    )
    contract.check_class_names(found, trained.class_names, prefix)
    return Candidate(
      prefix, trained.net, fed, trained.class_names, trained.data_dir, found.test_scale
    )
  if found.num_classes is None:
    raise CheckpointError(f'{prefix} has no head, so that it has no class scores to evaluate.')
  net = contract.net_config(found)
  fed = PreprocessingConfig(
    found.rgb_mean,
    found.pixel_scale,
    train_scale_min=found.test_scale,
    train_scale_max=found.test_scale,
    resize_filter=found.resize_filter,
    stored_side=found.stored_side,
  )
  return Candidate(prefix, net, fed, found.class_names, None, found.test_scale)
