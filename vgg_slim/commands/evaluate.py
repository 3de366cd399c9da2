"""Evaluates checkpoints as the VGG paper does: dense, multi-scale, multi-crop, fused (3.2, 4).

  tools/evaluate --train_dir=runs/photos
  tools/evaluate --train_dir=runs/photos --test_scales=256,384,512 \\
      --views=dense,multi_crop,dense+multi_crop --report=report.html
  tools/evaluate --checkpoints=runs/vgg_d,runs/vgg_e --split=test --output=test.json
  tools/evaluate --checkpoint_path=weights/vgg16 --data_dir=data/imagenet
  tools/evaluate --train_dir=runs/photos --tensorboard=runs/photos/evaluation
  tools/evaluate --train_dir=runs/photos --watch

Every image of the split is scored exactly once in each view. 'dense' slides the network over the
whole image and averages its class score map; 'center', 'ten_crop' and 'multi_crop' (5x5 grid) score
square crops; views joined by + are averaged. The tables follow the paper's Tables 3 to 6 and add
Wilson's 95 % confidence intervals. McNemar's exact test compares each pair of networks and each
pair of views.

--tensorboard shows confusions and most confident errors of the last line of the tables and, in the
Projector tab, the features below the class scores of the last network for the first 1000 images.

--watch evaluates each new checkpoint while a run is training, on this machine or another, and ends
with the run. Its curves and images are written to TRAIN_DIR/evaluator, or to --tensorboard.
"""

import contextlib
import functools
import logging
import os
import pathlib
from collections.abc import Callable
from typing import BinaryIO

from absl import flags

from vgg_slim import files, output_files, terminal
from vgg_slim.commands import invocation, progress, result_tables
from vgg_slim.commands.flags import checkpoint_flags, eval_flags, precision_flag
from vgg_slim.configs import config
from vgg_slim.data import manifest as manifests
from vgg_slim.data.conversion import data_of_run
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.evaluation import (
  candidates,
  class_map,
  class_scores,
  eval_config,
  results,
  tables,
)
from vgg_slim.preprocessing.sample_depth import FULL_RANGE
from vgg_slim.wording import counted

_TRAIN_DIR = flags.DEFINE_string('train_dir', None, 'Folder of the training run.')
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint_path',
  None,
  'Prefix of a checkpoint, trained or imported. Defaults to the newest one in --train_dir.',
)
_CHECKPOINTS = flags.DEFINE_list(
  'checkpoints',
  [],
  'Comma-separated train_dirs or checkpoints, to evaluate several networks and their fusion.',
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of a converted data set. Defaults to that of the training run.'
)
eval_flags.define()
_OUTPUT = flags.DEFINE_string('output', None, 'Write all numbers to this file as JSON.')
_CSV = flags.DEFINE_string('csv', None, 'Write one row per image and view to this CSV file.')
_REPORT = flags.DEFINE_string('report', None, 'Write a web page with all results to this file.')

_TENSORBOARD = flags.DEFINE_string(
  'tensorboard', None, 'Folder for images of errors and for the embedding projector.'
)
_WATCH = flags.DEFINE_bool(
  'watch', False, 'Evaluate each new checkpoint in --train_dir up to that of the last step.'
)
_WATCH_TIMEOUT = flags.DEFINE_float(
  'watch_timeout',
  60.0,
  'Minutes without a new checkpoint after which --watch ends.',
  lower_bound=0.0,
)
_EVALUATOR_FOLDER = 'evaluator'  # in the train_dir; a separate run in TensorBoard


def main() -> None:
  """Evaluates the checkpoints, prints the tables and writes the files."""
  if _WATCH.value:
    _watch()
    return
  # The checks come before TensorFlow, which finds the newest intact checkpoint of a folder, loads.
  models = _find_candidates(str)
  data_dir = _DATA_DIR.value or models[0].find_data()
  if not data_dir:
    raise ConfigError(
      f'--data_dir is required: {models[0].checkpoint} does not belong to a training run on this '
      'machine.'
    )
  manifest = manifests.read_manifest(data_dir)
  requests = [eval_flags.eval_config_from_flags(model, manifest) for model in models]
  classes = _map_classes(models, manifest, data_dir)
  for model in models:
    _warn_of_other_data(model, manifest, data_dir)
    _warn_of_other_reduction(model, manifest, data_dir)
    _warn_of_other_range(model, manifest, data_dir)
  written = invocation.values_by_flag(_OUTPUT, _CSV, _REPORT)
  folders = invocation.values_by_flag(_TENSORBOARD)
  with output_files.open_outputs(written, folders) as streams:
    models = _find_candidates(checkpoint_flags.resolve)
    _evaluate(models, requests, data_dir, manifest, classes, streams)


def _map_classes(
  models: list[candidates.Candidate], manifest: manifests.Manifest, data_dir: str
) -> class_map.ClassMap:
  """Maps classes of the data set to those of the networks, which must all have the same ones."""
  maps = [
    class_map.map_classes(model.class_names, model.net.num_classes, manifest.class_names, data_dir)
    for model in models
  ]
  others = [
    model.checkpoint
    for model, classes in zip(models, maps, strict=True)
    if classes.names != maps[0].names
  ]
  if others:
    raise CheckpointError(
      f'--checkpoints: {", ".join(others)} and {models[0].checkpoint} have different classes, or '
      'the same in another order; their scores cannot be compared or averaged.'
    )
  if not maps[0].is_identity:
    terminal.show(maps[0].describe(data_dir))
  return maps[0]


def _evaluate(
  models: list[candidates.Candidate],
  requests: list[eval_config.EvalConfig],
  data_dir: str,
  manifest: manifests.Manifest,
  classes: class_map.ClassMap,
  streams: dict[str, BinaryIO],
) -> None:
  invocation.load_tensorflow()
  from vgg_slim.evaluation import outputs, projector, runner, validation

  precision_flag.warn()
  scored = []
  for model, request in zip(models, requests, strict=True):
    with (
      progress.show(f'Evaluating {model.net.model}', 'crops') as report,
      runner.Evaluator(model, data_dir, manifest, request) as evaluator,
    ):
      scored.append(evaluator.score(model.checkpoint, report))
  shown, comparisons = tables.make_tables(scored), tables.compare(scored)
  for result in scored:
    step = 'imported' if result.step is None else f'step {result.step}'
    where = f'{result.config.split} split, {counted(len(result.labels), "image")}'
    terminal.show(f'{result.model}, {step}, {where}, {result.precision}: {result.checkpoint}')
    if result.proof:
      terminal.show(result.proof.describe())
  if scored[-1].config.flip:
    terminal.show(
      'Each image is averaged with its mirror image (disable with --noflip; predict: --flip).'
    )
  result_tables.print_tables(shown, len(classes.names))
  result_tables.print_comparisons(comparisons)
  for table in shown:
    for line in table.lines:
      progress.reporter().event('result', table=table.title, **vars(line.result))
  _warn_of_one_class(shown[-1].lines[-1], classes)
  paths = manifests.shard_paths(data_dir, manifest, requests[0].split)
  if stream := streams.get('--output'):
    outputs.write_json(stream, shown, comparisons)
  if stream := streams.get('--csv'):
    outputs.write_csv(stream, shown[-1].lines, classes.names, paths)
  if stream := streams.get('--report'):
    outputs.write_report(stream, shown, comparisons, classes, paths)
  if _TENSORBOARD.value:
    last = shown[-1].lines[-1]
    validation.write_events(_TENSORBOARD.value, last, classes, paths)
    features = projector.run_features(models[-1].checkpoint, models[-1], paths)
    projector.write_projector(pathlib.Path(_TENSORBOARD.value), features, manifest.class_names)


def _warn_of_other_data(
  model: candidates.Candidate, manifest: manifests.Manifest, data_dir: str
) -> None:
  is_own = model.data_dir and os.path.realpath(model.data_dir) == os.path.realpath(data_dir)
  if is_own and manifest.fingerprint != model.data_fingerprint:
    logging.getLogger('vgg_slim').warning(
      '%s was converted again after %s was trained on it. Where its splits are others now, the '
      'network is scored on images that it was trained on.',
      data_dir,
      model.checkpoint,
    )


def _warn_of_other_reduction(
  model: candidates.Candidate, manifest: manifests.Manifest, data_dir: str
) -> None:
  trained, here = model.preprocessing.stored_side, manifest.stored_side
  if trained != here:
    sides = [f'to {side} px' if side else 'not at all' for side in (here, trained)]
    logging.getLogger('vgg_slim').warning(
      'The converter reduced the images of %s %s and those of the training data set %s '
      '(--resize_smaller_side); tools/predict does the latter, so its answers may differ.',
      data_dir,
      *sides,
    )


def _warn_of_other_range(
  model: candidates.Candidate, manifest: manifests.Manifest, data_dir: str
) -> None:
  trained, here = (
    tuple(rules.pixel_range or FULL_RANGE) for rules in (model.preprocessing, manifest)
  )
  if trained != here:
    logging.getLogger('vgg_slim').warning(
      'Of images of more than 8 bits, the converter scaled %s to 0..255 in %s and %s in the '
      'training data set (--pixel_range); tools/predict does the latter, so its answers may '
      'differ.',
      '{:g}..{:g}'.format(*here),
      data_dir,
      '{:g}..{:g}'.format(*trained),
    )


def _warn_of_one_class(line: results.Line, classes: class_map.ClassMap) -> None:
  warning = class_scores.describe_only_class(line.labels, line.predicted, classes.names)
  if warning:
    logging.getLogger('vgg_slim').warning('%s', warning)


def _watch() -> None:
  train_dir = _train_dir_to_watch()
  trained = config.read_train_config(train_dir)
  data_dir = _DATA_DIR.value or data_of_run.find(trained.data_dir, train_dir)
  manifest = manifests.read_manifest(data_dir)
  request = eval_flags.eval_config_from_flags(trained, manifest)
  if len(request.views) > 1:
    raise ConfigError(f'--watch takes a single view, got --views={",".join(request.views)}.')
  events_dir = _TENSORBOARD.value or os.path.join(train_dir, _EVALUATOR_FOLDER)
  output_files.check_outputs(folders={'--tensorboard': events_dir})
  if problem := files.utf8_problem(events_dir):
    raise ConfigError(f'--tensorboard={events_dir}: {problem}.')

  invocation.load_tensorflow()
  from vgg_slim.evaluation import continuous

  precision_flag.warn()
  with contextlib.suppress(KeyboardInterrupt):
    continuous.run_continuous_evaluation(
      train_dir,
      trained,
      data_dir,
      manifest,
      request,
      events_dir=events_dir,
      timeout=60 * _WATCH_TIMEOUT.value,
      report=functools.partial(print, flush=True),
    )


def _train_dir_to_watch() -> str:
  """Returns --train_dir; raises ConfigError for flags that are missing or do not fit --watch."""
  (train_dir,) = invocation.required(_TRAIN_DIR)
  others = (_CHECKPOINT, _CHECKPOINTS, _OUTPUT, _CSV, _REPORT)
  given = [f'--{flag.name}' for flag in others if flag.value]
  if given:
    raise ConfigError(f'--watch cannot be combined with {", ".join(given)}.')
  return train_dir


def _find_candidates(find: Callable[[str], str]) -> list[candidates.Candidate]:
  """Returns the checkpoints to evaluate.

  Args:
    find: function that returns the checkpoint in a folder, or the folder for its newest by name.
  """
  single = _CHECKPOINT.value or _TRAIN_DIR.value
  several = _CHECKPOINTS.value or []
  if bool(single) == bool(several):
    raise ConfigError('Give --train_dir or --checkpoint_path, or --checkpoints for several.')
  if single:
    return [candidates.find_candidate(find(single), _TRAIN_DIR.value)]
  return [candidates.find_candidate(find(path)) for path in several]


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
