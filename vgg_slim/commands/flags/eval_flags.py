"""The flags that choose which images are scored, and how. Loads no TensorFlow."""

from collections.abc import Iterable

from absl import flags

from vgg_slim import terminal
from vgg_slim.commands.flags import field_flags, flag_groups
from vgg_slim.configs import config
from vgg_slim.data.manifest import Manifest, split_to_evaluate
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import candidates, views
from vgg_slim.evaluation.eval_config import EvalConfig, flips_by_default
from vgg_slim.nets import specs
from vgg_slim.preprocessing import test_scales as scales

flags.disclaim_key_flags()


def define() -> None:
  """Defines --split, --views, --test_scales and related flags."""
  flags.DEFINE_string(
    'test_scales',
    None,
    "Comma-separated smaller sides Q in pixels; 'multi' for the paper's three. Defaults to the one "
    'that corresponds to the training scale.',
  )
  flag_groups.set_heading('test_scales', 'Images and views')
  field_flags.define(
    EvalConfig,
    {
      'flip': field_flags.Computed(
        'By default done if training flipped images, as that of an imported network is taken to '
        'have done unless its contract denies it, and flipped images of the data set are valid.'
      )
    },
  )


def eval_config_from_flags(
  model: candidates.Candidate | config.TrainConfig, manifest: Manifest
) -> EvalConfig:
  """Returns how a network is evaluated on a data set.

  Flags that are not given take their values from the training of the network.

  Raises:
    ConfigError: a value is out of range, or a scale is too small for the network.
    DataError: the data set has no such split.
  """
  values = flags.FLAGS
  try:
    manifest.split(values.split)
  except DataError as error:
    raise DataError(f'{error} Give --split={split_to_evaluate(manifest.splits)}.') from None
  default_flip = flips_by_default(model.preprocessing, manifest)
  specs.get(model.net.model).check_pool_rounding(values.pool_rounding)
  test_scales = _test_scales(values.test_scales, model)
  views.check_test_scales(test_scales, model.net.image_size)
  flip = default_flip if values.flip is None else values.flip
  return field_flags.from_flags(EvalConfig, test_scales=test_scales, flip=flip)


def _test_scales(text: str | None, model: candidates.Candidate | config.TrainConfig) -> list[int]:
  if text is None:
    return [model.test_scale]
  if text == 'multi':
    return _paper_scales(model.preprocessing, model.net.image_size)
  try:
    return [int(side) for side in text.split(',')]
  except ValueError as error:
    raise ConfigError(
      f"--test_scales={text!r}: expected comma-separated sides in pixels, or 'multi'."
    ) from error


def _paper_scales(preprocessing: config.PreprocessingConfig, image_size: int) -> list[int]:
  """Returns the paper's test scales for a training scale; prints those that had to be changed."""
  smallest, largest = preprocessing.train_scale_min, preprocessing.train_scale_max
  before = scales.paper_scales(smallest, largest)
  after = scales.multi(smallest, largest, image_size)
  if before != after:
    terminal.show(
      f'--test_scales=multi: {_join(before)} were changed to {_join(after)}: distinct multiples of '
      f'32, at least image_size={image_size}.'
    )
  return list(after)


def _join(sides: Iterable[int]) -> str:
  return ', '.join(map(str, sides))
