"""The request for an export of weights. No TensorFlow."""

import dataclasses
import pathlib

from vgg_slim.checkpoints import staging
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import torch_state

SUFFIXES = ('.weights.h5', '.keras', '.safetensors', '.pth', '.ckpt', '.npz')


@dataclasses.dataclass(frozen=True)
class ExportRequest:
  """What to export.

  Attributes:
    checkpoint: prefix of a checkpoint, or a train_dir, which stands for its newest checkpoint.
    output: path of the file to write, or prefix of a checkpoint; its suffix, one of SUFFIXES,
      decides the format.
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
      raise ConfigError(
        f'--output={self.output} must end in {", ".join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.'
      )
    if self.model:
      specs.get(self.model)


def check_output(output: str) -> None:
  """Raises OutputError or ConfigError if `output` exists or cannot be written here."""
  if output.endswith('.ckpt'):
    staging.check_checkpoint_is_free(output)
  else:
    staging.check_is_free(pathlib.Path(output))
  if output.endswith(('.pth', '.safetensors')):
    torch_state.check_can_write(output)
