"""Networks, sizes and files of the check. No TensorFlow."""

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from vgg_slim.configs import config
from vgg_slim.configs.runtime import RuntimeConfig

NUM_CLASSES = 10
AS_BUILT = RuntimeConfig()  # in float32, not compiled
_LEARNING_RATE = 1e-3


class Size(NamedTuple):
  """How large the networks of the check are.

  Attributes:
    model: network without batch norm.
    batch_norm_model: network with it.
    image_size: side of the images, in pixels.
    fc_units: number of units of fc6 and fc7.
    batch_size: number of images of a step whose numbers are compared.
    timed_batch_size: number of images of a step that is timed, or whose memory is measured.
    timed_batches: number of batches that are timed.
  """

  model: str
  batch_norm_model: str
  image_size: int
  fc_units: int
  batch_size: int
  timed_batch_size: int
  timed_batches: int


SIZES = {
  'full': Size('vgg16', 'resnet50', 224, 4096, 8, 32, 20),
  'thin': Size('vgg16@8', 'resnet50@8', 64, 64, 4, 4, 2),
}


@dataclasses.dataclass(frozen=True)
class Check:
  """What every row is given.

  Attributes:
    size_name: key of SIZES.
    folder: folder of the files that the rows share.
  """

  size_name: str
  folder: pathlib.Path

  @property
  def size(self) -> Size:
    return SIZES[self.size_name]

  @property
  def data_dir(self) -> str:
    """Folder of the converted data set."""
    return str(self.folder / 'data')

  @property
  def numbers(self) -> pathlib.Path:
    """File of the reference's numbers."""
    return self.folder / 'reference.npz'

  def prefix(self, model: str) -> str:
    """Prefix of the checkpoint of a network with initial weights."""
    return str(self.folder / model.replace('@', '_') / 'model.ckpt-0')

  def image_files(self) -> list[str]:
    """The image files, of which every class has two."""
    return sorted(str(path) for path in (self.folder / 'images').glob('*/*.png'))

  def images(self) -> np.ndarray:
    """Images like normalized pixels, float32 [2 steps, N, side, side, 3]."""
    shape = [2, self.size.batch_size, self.size.image_size, self.size.image_size, 3]
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)

  def labels(self) -> np.ndarray:
    """Labels of the images, int32 [2 steps, N]."""
    count = self.size.batch_size
    return np.arange(2 * count, dtype=np.int32).reshape(2, count) % NUM_CLASSES

  def train_config(
    self, model: str, runtime: RuntimeConfig = AS_BUILT, batch_size: int | None = None
  ) -> config.TrainConfig:
    """Config of the steps that are compared: no dropout, whose units depend on the device.

    The initial weights keep the scale of the maps from layer to layer ('he'), so that rounding
    errors of the first layers do not vanish in the last ones.
    """
    side = self.size.image_size
    return config.TrainConfig(
      net=config.NetConfig(
        NUM_CLASSES,
        model,
        image_size=side,
        fc_units=self.size.fc_units,
        dropout_keep_prob=1.0,
        initializer='he',
      ),
      preprocessing=config.PreprocessingConfig(
        (127.5, 127.5, 127.5), 1 / 64, side * 8 // 7, side * 8 // 7
      ),
      optimizer=config.OptimizerConfig(_LEARNING_RATE),
      run=config.RunConfig(batch_size=batch_size or self.size.batch_size),
      fine_tune=config.FineTuneConfig(),
      runtime=runtime,
      data_dir=self.data_dir,
      data_fingerprint='',
      class_names=tuple(f'class_{number}' for number in range(NUM_CLASSES)),
    )
