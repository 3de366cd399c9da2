"""The request for an export, and the options that each format takes. No TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from vgg_slim.checkpoints import prefixes
from vgg_slim.errors import ConfigError

INPUT_SHAPES = ('fixed', 'free')


class Options(NamedTuple):
  """The options of a format.

  Attributes:
    takes_shape: whether `input_shape` can be chosen.
    is_calibrated: whether it needs `representative_dir`, and makes a model of fixed shape that
      takes uint8.
  """

  takes_shape: bool = False
  is_calibrated: bool = False

  def is_fixed(self, input_shape: str | None) -> bool:
    """Whether the model takes only single images of the contract's size."""
    return self.is_calibrated or (self.takes_shape and input_shape != 'free')


FORMATS: Mapping[str, Options] = {
  'saved_model': Options(),
  'frozen': Options(),
  'onnx': Options(),
  'tflite': Options(takes_shape=True),
  'tflite_dynamic': Options(takes_shape=True),
  'tflite_int8': Options(is_calibrated=True),
}


@dataclasses.dataclass(frozen=True)
class ExportRequest:
  """What to export.

  Attributes:
    checkpoint: prefix of a checkpoint with a contract, or a train_dir, which stands for its newest
      checkpoint.
    format: one of FORMATS.
    output: path of the folder to create.
    verify_dir: folder of images to compare on; None for images that come with scikit-learn.
    input_shape: one of INPUT_SHAPES for formats that offer the choice; None for their default.
    representative_dir: folder of images, or of a converted data set, for the calibration of 8-bit
      integers.

  Raises:
    ConfigError: values are invalid or incompatible; the message lists all of them.
  """

  checkpoint: str
  format: str
  output: str
  verify_dir: str | None = None
  input_shape: str | None = None
  representative_dir: str | None = None

  def __post_init__(self) -> None:
    if self.format not in FORMATS:
      raise ConfigError(f'format must be one of {", ".join(FORMATS)}, got {self.format!r}.')
    problems = self._problems()
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')

  @property
  def options(self) -> Options:
    """The options of the format."""
    return FORMATS[self.format]

  def _problems(self) -> list[str]:
    problems = []
    # It keeps its weights as a checkpoint.
    if self.format == 'saved_model' and (problem := prefixes.path_problem(self.output)):
      problems.append(f'--output={self.output}: {problem}')
    if self.input_shape not in (None, *INPUT_SHAPES):
      problems.append(f'input_shape must be one of {INPUT_SHAPES}, got {self.input_shape!r}')
    elif self.input_shape and not self.options.takes_shape:
      shape = 'fixed' if self.options.is_calibrated else 'free'
      problems.append(f'{self.format} always has a {shape} shape, so omit --input_shape')
    if self.options.is_calibrated and not self.representative_dir:
      problems.append(
        f'{self.format} is calibrated on images like those it will classify; give a folder of '
        'about 100 of them, or a converted data set, as --representative_dir'
      )
    if self.representative_dir and not self.options.is_calibrated:
      problems.append(f'{self.format} needs no calibration, so omit --representative_dir')
    return problems
