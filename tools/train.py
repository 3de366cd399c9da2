"""Trains a network, from scratch or on from the newest checkpoint of --train_dir.

  tools/train --model=vgg16
  tools/train --flagfile=recipes/digits_vgg16.flags
  tools/train --model=vgg16_bn --data_dir=data/photos --train_dir=runs/photos --epochs=60
  tools/train --data_dir=data/photos --checkpoint_path=weights/vgg16 --new_head \\
      --phase='head epochs=5 trainable_scopes=head' --phase='all epochs=10 learning_rate=1e-5'

Without --data_dir it trains on the handwritten digits that come with scikit-learn. The same command
again goes on where a run ended. Ctrl-C saves a checkpoint and stops. A run is only removed by
--overwrite, and only one process at a time writes to --train_dir.
"""

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from absl import flags

from tools import checkpoint_flags, config_flags, invocation, phases, run_flags
from vgg_slim import config, output_files
from vgg_slim.config import BEST_FOLDER
from vgg_slim.data import manifest as manifests
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.training import cluster
from vgg_slim.weights import prefixes

if TYPE_CHECKING:  # the import itself waits until TensorFlow is needed
  from vgg_slim.training import loop

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder made by tools/convert_to_tfrecord. By default the digits.'
)
_TRAIN_DIR = flags.DEFINE_string(
  'train_dir', None, 'Folder of checkpoints and curves. By default runs/DATA_MODEL.'
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'Remove the run in --train_dir, file by file as it says, and start again.'
)
_VALIDATION_BATCH_SIZE = flags.DEFINE_integer(
  'validation_batch_size', 64, 'Pictures in a batch of the validation after each epoch.'
)
config_flags.define_train_flags()
phases.define_phase_flag()


def main() -> None:
  """Wires data, config, training and validation together, once or phase by phase."""
  workers = cluster.read_cluster()
  is_chief = workers is None or workers.index == 0
  with contextlib.nullcontext() if is_chief else contextlib.redirect_stdout(io.StringIO()):
    _train_all(workers)


def _train_all(workers: cluster.Cluster | None) -> None:
  data_dir = os.path.abspath(_DATA_DIR.value or _digits_dir())
  manifest = manifests.read_manifest(data_dir)
  parts = phases.phases_from_flags()
  if not parts:
    wanted = config_flags.train_config_from_flags(data_dir, manifest)
    _print_end(*_run(wanted, manifest, _train_dir(manifest, wanted), workers))
    return
  if workers:
    raise ConfigError('--phase: several workers (TF_CONFIG) take a command for each phase.')
  # All of them before the first: a mistake in the last shows now, not tomorrow.
  for number, part in enumerate(parts):
    with phases.applied(phases.following('(of the phase before)', part) if number else part):
      parent = _train_dir(manifest, config_flags.train_config_from_flags(data_dir, manifest))
  checkpoint = None
  for part in parts:
    with phases.applied(phases.following(checkpoint, part) if checkpoint else part):
      wanted = config_flags.train_config_from_flags(data_dir, manifest)
      result, train_dir = _run(wanted, manifest, phases.train_dir(parent, part), None)
    _print_end(result, train_dir)
    if result.stopped_by:
      return
    best = os.path.join(train_dir, BEST_FOLDER)
    has_best = wanted.run.keep_best and prefixes.find_prefix(best)
    checkpoint = checkpoint_flags.resolve(best) if has_best else result.checkpoint


def _train_dir(manifest: Manifest, wanted: config.TrainConfig) -> str:
  return _TRAIN_DIR.value or f'runs/{manifest.dataset}_{wanted.net.model}'


def _run(
  wanted: config.TrainConfig, manifest: Manifest, train_dir: str, workers: cluster.Cluster | None
) -> 'tuple[loop.TrainResult, str]':
  output_files.check_outputs(folders={'--train_dir': train_dir})
  if prefixes.list_candidates(train_dir) and not _OVERWRITE.value:
    saved = config.read_train_config(train_dir)
    kept = config.keep_resize_filter(saved, wanted)
    if kept != wanted:
      print(f'Images are resized as the run started: {kept.preprocessing.resize_filter}.')
    wanted = kept
    config.check_can_resume(saved, wanted, train_dir)
  return _train(wanted, manifest, train_dir, workers), train_dir


def _print_end(result: 'loop.TrainResult', train_dir: str) -> None:
  if result.stopped_by:
    print(f'{result.stopped_by} at step {result.step} of {result.total_steps}: saved as')
    print(f'{result.checkpoint}. The same command goes on from there.')
    return
  if result.ended_early:
    print(f'Ended early: {result.ended_early}.')
  print(f'Done: step {result.step} of {result.total_steps}, {result.checkpoint}.')
  print(f'Evaluate:    tools/evaluate --train_dir={train_dir}')
  print(f'Look at it:  tensorboard --logdir={os.path.dirname(train_dir) or "."}')


def _digits_dir() -> str:
  invocation.load_tensorflow()
  from vgg_slim.data import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))


def _train(
  wanted: config.TrainConfig, manifest: Manifest, train_dir: str, workers: cluster.Cluster | None
) -> 'loop.TrainResult':
  invocation.load_tensorflow()
  from vgg_slim import sessions
  from vgg_slim.evaluation import eval_config, runner, validation
  from vgg_slim.training import loop, progress

  sessions.configure(wanted.runtime)
  reporter = progress.Reporter(sys.stdout, invocation.is_quiet())
  train = manifest.split('train')
  reporter.line(
    f'{wanted.net.model} at {wanted.net.image_size} px on {train.num_examples} pictures of '
    f'{manifest.num_classes} classes from {wanted.data_dir}, into {train_dir}.'
  )
  if run_flags.has_default_length():
    steps = wanted.run.total_steps(train.num_examples)
    reporter.line(f'{wanted.run.epochs:g} epochs, {steps} steps; --epochs gives another length.')
  if 'validation' not in manifest.splits:
    reporter.line('No validation split: training without validation.')
    return loop.run_training(
      wanted, manifest, train_dir, None, reporter, workers, overwrite=_OVERWRITE.value
    )
  central_crops = eval_config.EvalConfig(
    test_scales=(wanted.test_scale,),
    views=('center',),
    flip=False,
    batch_size=_VALIDATION_BATCH_SIZE.value,
  )
  shards = manifests.shard_paths(wanted.data_dir, manifest, 'validation')
  with runner.Evaluator(wanted, wanted.data_dir, manifest, central_crops) as evaluator:
    validator = validation.Validator(evaluator, central_crops, evaluator.classes, shards)
    pictures = validator.summarize if wanted.run.image_summary_every_steps else None
    return loop.run_training(
      wanted, manifest, train_dir, validator.run, reporter, workers, pictures, _OVERWRITE.value
    )


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
