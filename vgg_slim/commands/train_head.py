"""Trains a new head on extracted features, in seconds, and joins it to its trunk.

  tools/train_head --features=features/photos --weights=imagenet --output=weights/photos
  tools/train_head --features=features/cats --checkpoint_path=weights/vgg16 --output=weights/cats \\
      --head=average --classifier_activation=sigmoid --early_stop_patience=10
  tools/predict --checkpoint_path=weights/photos cat.jpg
  tools/plot --what=history --train_dir=weights/photos_history

--features is a folder written by tools/extract_features, and the checkpoint is the one that the
features were extracted with. OUTPUT is a checkpoint of the whole network with its contract; it
predicts what the head predicts on the features, and the other tools take it like any checkpoint.
Heads whose names start with `average` average the feature map first (GAP), the others flatten it.

The folder OUTPUT_history holds the curves, as the folder of a run does: metrics.csv, and event
files for TensorBoard. OUTPUT is the head after the last epoch. The one after the best epoch in
validation is in OUTPUT_history/best, which the other tools take as --train_dir.
"""

import contextlib
import dataclasses
import pathlib
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from vgg_slim import terminal
from vgg_slim.checkpoints import contract, prefixes, staging
from vgg_slim.commands import installation, invocation, progress
from vgg_slim.commands.flags import checkpoint_flags, field_flags, unused_flags
from vgg_slim.configs.config import BEST_FOLDER
from vgg_slim.data import class_balance, class_weights
from vgg_slim.errors import CheckpointError
from vgg_slim.features import cache
from vgg_slim.features.head_config import HeadConfig
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow, which is only loaded after the checks
  from vgg_slim.features.head import BestEpoch, TrainedHead
  from vgg_slim.training.epoch_log import EpochLog
  from vgg_slim.training.history import EpochMetrics

checkpoint_flags.define()
checkpoint_flags.define_weights()
_FEATURES = flags.DEFINE_string('features', None, 'Folder made by tools/extract_features.')
_OUTPUT = flags.DEFINE_string('output', None, 'Prefix of the checkpoint to write.')
field_flags.define(HeadConfig)
_CLASS_WEIGHTS = flags.DEFINE_string('class_weights', None, class_weights.HELP)


def main() -> None:
  """Trains the head on the features and writes the checkpoint of the whole network."""
  features, output = invocation.required(_FEATURES, _OUTPUT)
  config = field_flags.from_flags(HeadConfig)
  folder, history_folder = pathlib.Path(features), f'{output}_history'
  key = cache.read_key(folder)
  unused_flags.check(key.trunk.model, config.head)
  staging.check_checkpoint_is_free(output, beside=[pathlib.Path(history_folder)])
  trunk, trunk_contract = checkpoint_flags.load_contract(needs_head=False)
  train = cache.read_features(cache.features_path(folder, 'train'))
  held_out = cache.features_path(folder, 'validation')
  validation = cache.read_features(held_out) if held_out.exists() else None
  counts = np.bincount(train.labels, minlength=len(key.class_names)).tolist()
  weights = class_weights.parse(_CLASS_WEIGHTS.value or '', key.class_names, counts)
  config = dataclasses.replace(config, class_weights=weights)

  invocation.load_tensorflow()
  from vgg_slim.features import combine, head
  from vgg_slim.weights import formats

  if formats.sha256(trunk) != key.weights_sha256:
    raise CheckpointError(
      f'The features in {folder} were extracted with other weights than those of {trunk}.'
    )
  started = time.monotonic()
  recipe = head.choose_recipe(config, key, train)
  terminal.show(head.describe(config, recipe, key, train))
  if weights:
    terminal.show(class_weights.describe(key.class_names, weights))
  imbalance = class_balance.find_imbalance(key.class_names, counts)
  is_balanced = bool(weights) or config.balanced_batches
  if imbalance and not is_balanced:
    terminal.show(f'Warning: {imbalance}.')
  made = combine.make_contract(key, config, trunk_contract)
  with staging.staged_checkpoint(output) as staged:
    staged_history = pathlib.Path(f'{staged}_history')
    staged_history.mkdir()
    with (
      _open_log(staged_history, output, {**vars(config), **recipe._asdict()}) as log,
      progress.show('Training', 'epochs') as show,
    ):

      def report(metrics: 'EpochMetrics') -> None:
        _record(log, metrics)
        progress.reporter().event('epoch', **metrics._asdict())
        show(round(metrics.epoch), recipe.epochs)

      trained = head.run_head_training(config, key, train, validation, report, recipe)
    terminal.show(_summary(trained, time.monotonic() - started))
    if validation and trained.validation and trained.validation.only_answer is not None:
      name = key.class_names[trained.validation.only_answer]
      images = f'all {len(validation.labels)} validation images'
      only = class_balance.describe_only_answer(name, images, is_balanced)
      terminal.show(f'Warning: {only}')
    if trained.best:
      _write_best(staged_history / BEST_FOLDER, trunk, trained.best, made)
    combine.write_combined_checkpoint(staged, trunk, trained.weights, trained.steps, made)
  _show_results(output, trained, made.random_flip)


@contextlib.contextmanager
def _open_log(folder: pathlib.Path, name: str, config: Mapping[str, Any]) -> Iterator['EpochLog']:
  from vgg_slim.training import hparams
  from vgg_slim.training.epoch_log import EpochLog

  with contextlib.closing(EpochLog(str(folder), step=0, last_row=0)) as log:
    settings = {
      key: str(value) if isinstance(value, tuple) else value
      for key, value in config.items()
      if value is not None
    }
    log.add_summary(0, hparams.describe_run(settings, name))
    yield log


def _record(log: 'EpochLog', metrics: 'EpochMetrics') -> None:
  """Adds an epoch to the log, and the curves that a run draws at its steps."""
  scalars = {
    'loss': metrics.train_loss,
    'accuracy': metrics.train_accuracy,
    'learning_rate': metrics.learning_rate,
    'images_per_second': metrics.images_per_second,
  }
  log.add_scalars(metrics.step, scalars)
  log.add(metrics)


def _write_best(
  folder: pathlib.Path, trunk: str, best: 'BestEpoch', made: contract.Contract
) -> None:
  """Writes the head of the best epoch, joined to its trunk, as the only checkpoint of a folder."""
  from vgg_slim.features import combine

  folder.mkdir()
  name = f'{prefixes.RUN_NAME}-{best.step}'
  combine.write_combined_checkpoint(str(folder / name), trunk, best.weights, best.step, made)
  prefixes.write_state(str(folder), [name])


def _show_results(output: str, trained: 'TrainedHead', random_flip: bool) -> None:
  """Says what was written, and how to look at it."""
  history_folder = f'{output}_history'
  print(f'Wrote {output}.index, .data-00000-of-00001 and .json.')
  if trained.best:
    terminal.show(
      f'Best epoch:  {trained.best.epoch} (step {trained.best.step}), {trained.best.text}, in '
      f'{history_folder}/{BEST_FOLDER}; {output} is the last epoch, {len(trained.history)}.'
    )
  if trained.validation:
    mirrored = ', also mirrored where the data set allows it' if random_flip else ''
    terminal.show(
      f'The validation above scored central crops; {installation.call("evaluate")} '
      f'--checkpoint_path={shlex.quote(output)} scores whole images{mirrored}.'
    )
  print(
    f'Look at it:  {installation.call("plot")} --what=history '
    f'--train_dir={shlex.quote(history_folder)}'
  )


def _summary(trained: 'TrainedHead', seconds: float) -> str:
  """Returns a line with the accuracies of the last epoch."""
  last = trained.history[-1]
  ended = f'Ended early: {trained.stop_reason}. ' if trained.stop_reason else ''
  length = f'{counted(round(last.epoch), "epoch")} in {seconds:.1f} s'
  text = f'{ended}{length}: train accuracy {last.train_accuracy:.2%}'
  scores = trained.validation
  if scores is None:
    return f'{text}; there is no validation split.'
  return (
    f'{text}, validation accuracy {scores.top_1_accuracy:.2%}, balanced accuracy '
    f'{scores.balanced_accuracy:.2%}, macro F1 {scores.macro_f1:.3f}.'
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
