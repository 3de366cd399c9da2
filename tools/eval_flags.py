"""The flags that say which pictures are scored, and how. Loads no TensorFlow."""

from absl import flags

from tools import flag_groups
from vgg_slim import config
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import candidates, eval_config, views
from vgg_slim.nets import specs

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
  test_scales = _test_scales(values.test_scales, fed, wanted.net.image_size)
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


def _test_scales(
  text: str | None, preprocessing: config.PreprocessingConfig, image_size: int
) -> list[int]:
  if text is None:
    return [preprocessing.dense_test_scale(image_size)]
  if text == 'multi':
    return list(views.multi_scale(preprocessing.train_scale_min, preprocessing.train_scale_max))
  try:
    return [int(side) for side in text.split(',')]
  except ValueError as error:
    raise ConfigError(
      f"--test_scales={text!r}: expected sides in pixels with commas, or 'multi'."
    ) from error
