"""Checks of a run before it starts: its checkpoint, memory and disk space, one dry step."""

import dataclasses
import io
import math
import tempfile
import time
from collections.abc import Iterable

import numpy as np

from vgg_slim import op_errors, sessions
from vgg_slim.checkpoints import contract as contracts
from vgg_slim.checkpoints import restore, search
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.configs.config import FineTuneConfig, NetConfig, TrainConfig
from vgg_slim.data.manifest import Manifest
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding, failure, run_check
from vgg_slim.errors import VggSlimError
from vgg_slim.nets.summary import format_bytes
from vgg_slim.reporting import Reporter
from vgg_slim.training import history, loop, memory_plan, preflight
from vgg_slim.training.hooks.base import ValidationScores
from vgg_slim.wording import counted, listed

_BATCH_SIZE = 2  # of the dry step: batch norm needs more than one image
_MAX_INITIAL_LOSS = 3.0  # multiple of the loss of guessing, ln(K)
_SMALL_SCALE = 0.0078  # pixels of -1..1
_SMALL_INITIALIZER = 'normal'  # small enough for the large features of trained trunks


def examine_checkpoint(path: str) -> Finding:
  """Checks that contract and weights of a checkpoint fit each other, and all weights are finite.

  Args:
    path: a train_dir, which stands for its newest checkpoint, or the prefix of a checkpoint.
  """
  try:
    prefix = search.find(path)
    if prefix and contracts.find_contract(prefix) is None:
      text = f'{prefix} has no {contracts.contract_path(prefix).name} beside it.'
      return Finding(WARN, 'checkpoint', text, 'Its preprocessing and classes cannot be checked.')
    prefix, contract = contracts.load_contract(prefix or path)
    broken = _not_finite(prefix, search.inference_names(prefix, _variables(contract)))
  except VggSlimError as error:
    return failure('checkpoint', error)
  if broken:
    text = f'{prefix} holds NaN or infinity in {listed(broken, 3)}.'
    return Finding(FAIL, 'checkpoint', text, 'Use an earlier checkpoint, or import it again.')
  network = contract.network
  classes = f'{network.num_classes} classes' if network.num_classes else 'a trunk'
  text = f'{prefix}: {network.model}, {classes}, {network.image_size} px, all weights finite'
  return Finding(OK, 'checkpoint', text)


def examine_run(config: TrainConfig) -> Finding:
  """Describes a run."""
  net, batch = config.net, config.run.batch_size
  return Finding(OK, 'run', f'{net.model} at {net.image_size} px, batches of {batch}')


def examine_memory(config: TrainConfig, available: int | None, on_gpu: bool) -> Finding:
  """Checks that a training step fits into `available` bytes; reports the largest batch."""

  def check() -> str:
    plan = memory_plan.choose(config)
    at_once = config.run.batch_size // plan.micro_batches
    division = plan.micro_batches, plan.stage_parts
    needed = format_bytes(preflight.needed_memory(config, at_once, *division))
    text = f'{needed} beside TensorFlow for {counted(at_once, "image")} at once'
    if available is None or on_gpu:
      return text
    preflight.check_memory(config, available, *division)
    most = preflight.largest_batch(config, available, *division)
    return f'{text}; at most {counted(most, "image")}'

  return run_check('training step', check)


def checkpoint_bytes(config: TrainConfig) -> int:
  """Disk space of the checkpoints of a run: those kept, the next one, and the best."""
  size = preflight.checkpoint_bytes(config)
  return size * (config.run.keep_checkpoints + 1 + config.run.keep_best)


def run_trial(config: TrainConfig, manifest: Manifest, folder: str) -> Finding:
  """Trains one step on two images, as the run would, in a temporary folder inside `folder`.

  Args:
    config: config of the run, including the checkpoint that it starts from.
    manifest: manifest of the data set in `config.data_dir`.
    folder: existing folder with space for a checkpoint.

  Raises:
    KeyboardInterrupt: the user pressed Ctrl-C.
  """
  batch_size = min(_BATCH_SIZE, config.run.batch_size)
  trial = dataclasses.replace(
    config,
    run=dataclasses.replace(config.run, batch_size=batch_size, max_steps=1, profile_steps=()),
    # Without class weights, so that the loss can be compared with that of guessing.
    optimizer=dataclasses.replace(
      config.optimizer, gradient_accumulation_steps=1, class_weights=()
    ),
  )
  chance = math.log(config.net.num_classes)
  # Some schedules need validation results; a real validation would score a whole split.
  validation = ValidationScores(chance, 0.0, 0.0, 0.0)
  evaluate_fn = (lambda _: validation) if 'validation' in manifest.splits else None
  silent = Reporter(io.StringIO())
  started = time.monotonic()
  with tempfile.TemporaryDirectory(prefix='.doctor-', dir=folder) as train_dir:
    try:
      result = loop.run_training(trial, manifest, train_dir, evaluate_fn, silent)
    except VggSlimError as error:
      return failure('dry step', error)
    # Mostly from a GPU: out of memory, or the wrong version of cuDNN.
    except tf.errors.OpError as error:
      text = f'{type(error).__name__}: {op_errors.reason(error)}'
      return Finding(FAIL, 'dry step', text, _remedy_of_failure(config))
    if result.stopped_by:  # the training loop catches Ctrl-C
      raise KeyboardInterrupt
    loss = history.read_history(train_dir)[-1].train_loss
  seconds = time.monotonic() - started
  images = counted(batch_size, 'image')
  text = f'loss {loss:.3g} on {images} (guessing: {chance:.3g}), in {seconds:.0f} s'
  if loss > _MAX_INITIAL_LOSS * chance:
    return Finding(WARN, 'dry step', text, _remedy_of_large_loss(config))
  return Finding(OK, 'dry step', text)


def _remedy_of_failure(config: TrainConfig) -> str:
  """What to try when TensorFlow could not make the step; a checkpoint determines the network."""
  remedies = ['--gpus=none'] if sessions.num_gpus() else []
  if config.fine_tune.checkpoint_path is None:
    remedies.append('a smaller --model or --image_size')
  return f'Try {", or ".join(remedies)}.' if remedies else '--verbose shows where it happened.'


def _remedy_of_large_loss(config: TrainConfig) -> str:
  """What to change: neither what a checkpoint determines, nor to what it is already."""
  start, initializer = config.fine_tune, config.net.initializer
  remedies = []
  if start.checkpoint_path is None:
    pixels = config.preprocessing
    if not pixels.per_image_standardization and max(np.ravel(pixels.pixel_scale)) > _SMALL_SCALE:
      remedies.append(f'--pixel_scale={_SMALL_SCALE}')
    if initializer != NetConfig.initializer:
      remedies.append(f'--initializer={NetConfig.initializer}')
  elif not _has_new_layers(start):
    return 'The weights may belong to other classes, or to images that are prepared differently.'
  elif initializer != _SMALL_INITIALIZER:
    remedies.append(f'--initializer={_SMALL_INITIALIZER}')
  return f'Try {" or ".join(remedies or ["--warmup_epochs=1"])}.'


def _has_new_layers(start: FineTuneConfig) -> bool:
  """Whether a run leaves some layers at their initial values."""
  return bool(
    start.new_head
    or start.from_net_a
    or start.checkpoint_exclude_scopes
    or start.ignore_missing_vars
  )


def _variables(contract: Contract) -> list[tf.Variable]:
  with tf.Graph().as_default():
    side = contract.network.image_size
    images = tf.placeholder(tf.float32, [None, side, side, 3])
    restore.build_network(contract, images)
    return tf.global_variables()


def _not_finite(prefix: str, names: Iterable[str]) -> list[str]:
  reader = tf.train.load_checkpoint(prefix)
  return [name for name in names if not np.isfinite(reader.get_tensor(name)).all()]
