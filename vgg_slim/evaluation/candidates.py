"""Checkpoints to evaluate, from a training run or imported. No TensorFlow."""

import dataclasses
import pathlib

from vgg_slim.checkpoints import contract
from vgg_slim.configs import config
from vgg_slim.configs.config import NetConfig, PreprocessingConfig
from vgg_slim.data.conversion import data_of_run
from vgg_slim.errors import CheckpointError


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A checkpoint and the description of its network; implements `runner.Trained`.

  Attributes:
    checkpoint: prefix of the checkpoint.
    data_dir: folder of the data set it was trained on; None for an imported checkpoint.
    test_scale: smaller side Q of test images, in pixels, from the checkpoint's contract.
    data_fingerprint: fingerprint of that data set; None for an imported checkpoint.
    train_dir: folder of the run that trained it; None for an imported checkpoint.
  """

  checkpoint: str
  net: NetConfig
  preprocessing: PreprocessingConfig
  class_names: tuple[str, ...] | None
  data_dir: str | None
  test_scale: int
  data_fingerprint: str | None = None
  train_dir: str | None = None

  def find_data(self) -> str | None:
    """Returns the folder of the data set it was trained on; None for an imported checkpoint.

    Raises:
      DataError: the folder does not exist.
    """
    if self.data_dir is None or self.train_dir is None:
      return None
    return data_of_run.find(self.data_dir, self.train_dir)


def find_candidate(path: str, train_dir: str | None = None) -> Candidate:
  """Finds a checkpoint and reads the description of its network.

  Args:
    path: a train_dir, which stands for its newest checkpoint, or the prefix of a checkpoint.
    train_dir: folder of the run that wrote `path`; by default the folder that contains `path`.

  Raises:
    CheckpointError: there is no checkpoint, nothing describes its network, or it has no head.
  """
  if train_dir is not None:
    config.read_train_config(train_dir)  # raises if it is not a train_dir
  prefix, described = contract.load_contract(path)
  pixels = described.preprocessing
  folder = pathlib.Path(train_dir or pathlib.Path(prefix).parent)
  if (folder / config.CONFIG_FILE).is_file():
    trained = config.read_train_config(str(folder))
    contract.check_preprocessing(described, trained.preprocessing, prefix)
    # The contract decides how images are resized, as it does for prediction and exports.
    preprocessing = dataclasses.replace(
      trained.preprocessing,
      resize_filter=pixels.resize_filter,
      stored_side=pixels.stored_side,
      keep_aspect_ratio=pixels.keep_aspect_ratio,
      pixel_range=pixels.pixel_range,
    )
    contract.check_class_names(described, trained.class_names, prefix)
    return Candidate(
      prefix,
      trained.net,
      preprocessing,
      trained.class_names,
      trained.data_dir,
      pixels.test_scale,
      trained.data_fingerprint,
      str(folder),
    )
  if described.network.is_trunk:
    raise CheckpointError(f'{prefix} has no head, so it gives no class scores to evaluate.')
  net = contract.net_config(described)
  preprocessing = PreprocessingConfig(
    pixels.rgb_mean,
    pixels.pixel_scale,
    train_scale_min=pixels.test_scale,
    train_scale_max=pixels.test_scale,
    random_flip=described.random_flip,
    resize_filter=pixels.resize_filter,
    stored_side=pixels.stored_side,
    keep_aspect_ratio=pixels.keep_aspect_ratio,
    per_image_standardization=pixels.per_image_standardization,
    pixel_range=pixels.pixel_range,
  )
  return Candidate(prefix, net, preprocessing, described.class_names, None, pixels.test_scale)
