"""Evaluates a checkpoint densely, as the VGG paper does: whole pictures, class score maps averaged.

  tools/evaluate --train_dir=runs/photos
  tools/evaluate --train_dir=runs/photos --split=test --test_scales=224,256,288 --output=test.json

Every picture of the split is scored exactly once in each view; probabilities of a picture, its
mirror image and all scales are averaged (arXiv:1409.1556, section 3.2).
"""

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from absl import flags
from rich import box, console, table

from tools import invocation, progress
from vgg_slim import config, files
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.evaluation import views
from vgg_slim.weights import contract

if TYPE_CHECKING:  # the import itself waits until TensorFlow is needed
  from vgg_slim.evaluation import runner

_TRAIN_DIR = flags.DEFINE_string('train_dir', None, 'Folder of the training run.')
_DATA_DIR = flags.DEFINE_string('data_dir', None, "Converted data set. By default the run's own.")
_SPLIT = flags.DEFINE_string('split', 'validation', 'Split to score: train, validation, test.')
_TEST_SCALES = flags.DEFINE_string(
  'test_scales',
  None,
  "Smaller sides Q in pixels, with commas; 'multi' for the paper's three. By default the one that "
  'fits the training scale.',
)
_FLIP = flags.DEFINE_bool('flip', None, 'Average in the mirror image. By default as in training.')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 32, 'At most so many pictures at once.')
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint_path', None, 'Prefix of a checkpoint. By default the newest of --train_dir.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Write the result to this file as JSON.')


def main() -> None:
  """Wires a run, a data set and the evaluator together."""
  if not _TRAIN_DIR.value:
    raise ConfigError('--train_dir is missing: the folder of a training run.')
  if _BATCH_SIZE.value < 1:
    raise ConfigError(f'--batch_size must be at least 1, got {_BATCH_SIZE.value}.')
  trained = config.read_train_config(_TRAIN_DIR.value)
  data_dir = _DATA_DIR.value or trained.data_dir
  manifest = manifests.read_manifest(data_dir)
  manifest.split(_SPLIT.value)
  test_scales = _test_scales(trained.preprocessing)
  views.check_test_scales(test_scales, trained.net.image_size)
  flip = trained.preprocessing.random_flip if _FLIP.value is None else _FLIP.value

  invocation.load_tensorflow()
  from vgg_slim.evaluation import runner
  from vgg_slim.weights import checkpoints

  checkpoint = _CHECKPOINT.value or checkpoints.latest_checkpoint(_TRAIN_DIR.value)
  if not checkpoint:
    raise CheckpointError(f'{_TRAIN_DIR.value} holds no checkpoint yet.')
  imported = contract.find_contract(checkpoint)
  if imported:
    fed = trained.preprocessing
    contract.check_preprocessing(imported, fed.rgb_mean, fed.pixel_scale, checkpoint)
    contract.check_class_names(imported, trained.class_names, checkpoint)
  evaluator = runner.Evaluator(
    trained, data_dir, manifest, _SPLIT.value, test_scales, flip, _BATCH_SIZE.value
  )
  with evaluator, progress.show('Evaluating', 'views') as report:
    result = evaluator.run(checkpoint, report)
  _print_result(trained.net.model, result)
  if _OUTPUT.value:
    values = {'model': trained.net.model, **dataclasses.asdict(result)}
    files.write_text(pathlib.Path(_OUTPUT.value), json.dumps(values, indent=2) + '\n')


def _test_scales(preprocessing: config.PreprocessingConfig) -> list[int]:
  text = _TEST_SCALES.value
  if text is None:
    return [preprocessing.test_scale]
  if text == 'multi':
    return list(views.multi_scale(preprocessing.train_scale_min, preprocessing.train_scale_max))
  try:
    return [int(side) for side in text.split(',')]
  except ValueError as error:
    raise ConfigError(
      f"--test_scales={text!r}: expected sides in pixels with commas, or 'multi'."
    ) from error


def _print_result(model: str, result: 'runner.EvalResult') -> None:
  rows = table.Table(box=box.SIMPLE, title=f'{model}, step {result.step}, {result.split} split')
  for heading in ('Q', 'flip', 'pictures', 'top-1 error', 'top-5 error', 'images/s'):
    rows.add_column(heading, justify='right')
  rows.add_row(
    ', '.join(map(str, result.test_scales)),
    'yes' if result.flip else 'no',
    f'{result.num_images}',
    f'{result.top_1_error:.2%}',
    f'{result.top_5_error:.2%}',
    f'{result.images_per_second:.1f}',
  )
  console.Console().print(rows)


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
