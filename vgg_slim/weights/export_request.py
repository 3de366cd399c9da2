"""The request for an export of weights. No TensorFlow."""

import dataclasses

from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs

SUFFIXES = ('.weights.h5', '.npz')


@dataclasses.dataclass(frozen=True)
class ExportRequest:
  """What to export.

  Attributes:
    checkpoint: prefix of a checkpoint, or a train_dir, which stands for its newest checkpoint.
    output: path of the file to write; its suffix, one of SUFFIXES, decides the format.
    model: one of `specs.MODEL_NAMES`; by default from the contract beside the checkpoint or the
      train_dir's config.json.
    trunk_only: whether the head is left out.
    bgr: whether to reverse the input channels of the first convolution, for BGR images.

  Raises:
    ConfigError: the suffix or the model is unknown.
  """

  checkpoint: str
  output: str
  model: str | None = None
  trunk_only: bool = False
  bgr: bool = False

  def __post_init__(self) -> None:
    if not self.output.endswith(SUFFIXES):
      raise ConfigError(f'--output={self.output} must end in {" or ".join(SUFFIXES)}.')
    if self.model:
      specs.get(self.model)
