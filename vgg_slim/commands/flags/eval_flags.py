"""The flags that say which pictures are scored, and how. Loads no TensorFlow."""

from collections.abc import Iterable

from absl import flags

from vgg_slim.commands.flags import flag_groups
from vgg_slim.configs import config
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import candidates, eval_config, views
from vgg_slim.nets import specs
from vgg_slim.preprocessing import test_scales as scales

flags.disclaim_key_flags()


@flag_groups.headed('Pictures and views')
def define() -> None:
  """--split, --views, --test_scales and what goes with them."""
  flags.DEFINE_string('split', 'validation', 'Split to score: train, validation, test.')
  flags.DEFINE_list(
    'views', [views.WHOLE], f'With commas: {", ".join(views.VIEWS)}; joined by + for their average.'
  )
  flags.DEFINE_string(
    'test_scales',
    None,
    "Smaller sides Q in pixels, with commas; 'multi' for the paper's three. By default the one "
    'that fits the training scale.',
  )
  flags.DEFINE_bool('flip', None, 'Average in mirror images. By default as in training.')
  flags.DEFINE_enum(
    'average', eval_config.AVERAGES[0], eval_config.AVERAGES, 'What is averaged over views.'
  )
  flags.DEFINE_enum(
    'pool_rounding',
    POOL_ROUNDINGS[0],
    POOL_ROUNDINGS,
    "How VGG's pools round odd sides; ceil is the paper's own geometry, of networks trained in "
    'Caffe. The same where the sides of the images are multiples of 32.',
  )
  flags.DEFINE_integer(
    'batch_size', 32, 'At most so many crops at once, or as many pixels of whole pictures.'
  )


def eval_config_from_flags(
  wanted: candidates.Candidate | config.TrainConfig, manifest: Manifest
) -> eval_config.EvalConfig:
  """How a network is evaluated on a data set; what the flags leave open is as in its training.

  Raises:
    ConfigError: a value out of range, or a scale too small for the network.
    DataError: no such split.
  """
  values = flags.FLAGS
  manifest.split(values.split)
  fed = wanted.preprocessing
  specs.get(wanted.net.model).check_pool_rounding(values.pool_rounding)
  test_scales = _test_scales(values.test_scales, wanted)
  views.check_test_scales(test_scales, wanted.net.image_size)
  return eval_config.EvalConfig(
    test_scales=test_scales,
    views=tuple(values.views),
    split=values.split,
    flip=fed.random_flip and manifest.mirror_safe if values.flip is None else values.flip,
    average=values.average,
    pool_rounding=values.pool_rounding,
    batch_size=values.batch_size,
  )


def _test_scales(text: str | None, wanted: candidates.Candidate | config.TrainConfig) -> list[int]:
  if text is None:
    return [wanted.test_scale]
  if text == 'multi':
    return _paper_scales(wanted.preprocessing, wanted.net.image_size)
  try:
    return [int(side) for side in text.split(',')]
  except ValueError as error:
    raise ConfigError(
      f"--test_scales={text!r}: expected sides in pixels with commas, or 'multi'."
    ) from error


def _paper_scales(fed: config.PreprocessingConfig, image_size: int) -> list[int]:
  """The paper's test scales for a training scale; says where they had to become others."""
  smallest, largest = fed.train_scale_min, fed.train_scale_max
  before = scales.paper_scales(smallest, largest)
  after = scales.multi(smallest, largest, image_size)
  if before != after:
    print(
      f'--test_scales=multi: {_join(before)} became {_join(after)}: multiples of 32, not below '
      f'image_size={image_size}, each once.'
    )
  return list(after)


def _join(sides: Iterable[int]) -> str:
  return ', '.join(map(str, sides))
