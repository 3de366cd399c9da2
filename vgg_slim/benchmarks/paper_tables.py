"""The VGG paper's Tables 3 to 5 in miniature: thin networks on small images.

The paper's 224 px become `image_size`, its S shrinks in proportion, and the comparisons of its
tables (depth, scale jitter, several test scales, dense evaluation and multi-crop) are measured
again. Q follows from S as everywhere else, rounded down to a multiple of 32 px, and Table 4 has the
paper's steps of 32 px: the smaller the images, the coarser their Q. Networks are initialized from
each other as in section 3.1: deeper ones from A, S = 384 from S = 256, and scale jitter from
S = 384.
"""

import io
import itertools
import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from vgg_slim.benchmarks.paper_errors import TABLE_3, TABLE_4, TABLE_5, Setting
from vgg_slim.checkpoints import search
from vgg_slim.configs import config
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import CheckpointError
from vgg_slim.evaluation import results, runner, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.nets import specs, summary
from vgg_slim.preprocessing import test_scales
from vgg_slim.reporting import Reporter, format_duration
from vgg_slim.training import loop


class Recipe(NamedTuple):
  """How every network is trained and scored.

  Attributes:
    channels: number of channels of the first stage; 64 in the paper.
    image_size: side of the training crop, in pixels; 224 in the paper.
    fc_units: number of units of fc6 and fc7; 4096 in the paper.
    steps: number of training steps.
    batch_size: number of images per step.
    learning_rate: initial learning rate, which decays to zero along a cosine.
    dropout_keep_prob: keep probability of dropout after fc6 and fc7; 0.5 in the paper, which in so
      few steps only raises the error.
    seed: random seed for weight initialization and shuffling.
  """

  channels: int = 8
  image_size: int = 32
  fc_units: int = 128
  steps: int = 400
  batch_size: int = 32
  learning_rate: float = 0.01
  dropout_keep_prob: float = 1.0
  seed: int = 0


class Row(NamedTuple):
  """One line of a table, and the paper's top-1 error for the same setting, in percent."""

  line: results.Line
  paper_error: float


Tables = dict[int, list[Row]]
Scored = dict[Setting, results.ScoredCheckpoint]


def run_all(
  settings: Iterable[Setting],
  recipe: Recipe,
  data_dir: str,
  manifest: Manifest,
  folder: str,
  reporter: Reporter,
) -> Scored:
  """Trains and scores each setting; a setting that is already trained is only scored.

  Args:
    settings: keys of TABLE_3.
    recipe: training recipe that all of them share.
    data_dir: folder of a converted data set with a validation split.
    manifest: the data set's manifest.
    folder: folder in which each setting gets its train_dir.
    reporter: receiver of a phase for each setting, with the remaining time from the second on.

  Raises:
    CheckpointError: the folder holds networks that were trained otherwise; all of them are listed.
    TrainingError: the loss became infinite or NaN.
    KeyboardInterrupt: a signal has ended the training of a network, which is saved.
  """
  settings = list(settings)
  check_folder(settings, recipe, data_dir, manifest, folder)
  scored: Scored = {}
  checkpoints: dict[Setting, str] = {}
  work = [
    0 if _is_trained(train_dir_of(folder, setting), recipe) else _multiply_adds(setting, recipe)
    for setting in settings
  ]
  began = time.monotonic()
  for i, setting in enumerate(settings):
    start = find_start(setting, checkpoints)
    checkpoint = checkpoints[start] if start else None
    trained = train_config(setting, recipe, data_dir, manifest, start, checkpoint)
    small = trained.preprocessing
    left = remaining_seconds(time.monotonic() - began, work, i)
    notes = [] if work[i] else [', trained before']
    notes += [] if left is None else [f', ETA {format_duration(left)}']
    name = f'{trained.net.model}, S = {small.train_scale} px'
    reporter.phase(
      'network',
      f'{i + 1} of {len(settings)}: {name}{"".join(notes)}',
      number=i + 1,
      total=len(settings),
      model=trained.net.model,
      train_scale=small.train_scale,
      eta_seconds=left,
    )
    quiet = Reporter(io.StringIO())
    result = loop.run_training(trained, manifest, train_dir_of(folder, setting), None, quiet)
    if result.stopped_by:
      raise KeyboardInterrupt(signal.Signals[result.stopped_by])
    checkpoints[setting] = result.checkpoint
    several = test_scales.multi(small.train_scale_min, small.train_scale_max, recipe.image_size)
    request = EvalConfig(
      tuple(dict.fromkeys((trained.test_scale, *several))),  # Table 3 uses only the first
      tuple(TABLE_5.get(setting, (views.WHOLE,))),
      flip=manifest.mirror_safe,
      precision='float32',
    )
    with runner.Evaluator(trained, data_dir, manifest, request) as evaluator:
      scored[setting] = evaluator.score(result.checkpoint)
  return scored


def remaining_seconds(elapsed: float, work: Sequence[int], done: int) -> float | None:
  """Returns the time that the rest of the work takes at the speed so far; None before any is done.

  Args:
    elapsed: seconds since the beginning.
    work: amount of work of each part, in any unit.
    done: number of parts that are done.
  """
  finished = sum(work[:done])
  return elapsed * sum(work[done:]) / finished if finished else None


def _multiply_adds(setting: Setting, recipe: Recipe) -> int:
  """Multiply-adds per image of a thin network, to which its training time is about proportional."""
  spec = specs.get(setting.model).thin(recipe.channels)
  rows = summary.summarize(spec, None, recipe.image_size, recipe.fc_units)
  return summary.total(rows).multiply_adds


def _is_trained(train_dir: str, recipe: Recipe) -> bool:
  newest, _ = search.search(train_dir)
  return newest is not None and search.global_step(newest) >= recipe.steps


def train_dir_of(folder: str, setting: Setting) -> str:
  """Returns the train_dir of a setting, such as `folder/vgg_d_256_512`."""
  return os.path.join(folder, '_'.join(map(str, setting)))


def check_folder(
  settings: Sequence[Setting], recipe: Recipe, data_dir: str, manifest: Manifest, folder: str
) -> None:
  """Raises CheckpointError that lists the networks in `folder` that `run_all` would not train so.

  A table must not mix networks of other numbers of steps, seeds, widths, data or starts.
  """
  problems = []
  for i, setting in enumerate(settings):
    train_dir = train_dir_of(folder, setting)
    if not os.path.exists(os.path.join(train_dir, config.CONFIG_FILE)):
      continue
    start = find_start(setting, settings[:i])
    checkpoint = start and os.path.join(train_dir_of(folder, start), 'model.ckpt')
    wanted = train_config(setting, recipe, data_dir, manifest, start, checkpoint)
    before, now = _facts(config.read_train_config(train_dir)), _facts(wanted)
    changes = [f'{key} was {before[key]}, now {now[key]}' for key in now if before[key] != now[key]]
    if changes:
      problems.append(f'{os.path.basename(train_dir)} ({", ".join(changes)})')
  if problems:
    raise CheckpointError(
      f'--folder={folder} holds networks that were trained otherwise: {"; ".join(problems)}. Give '
      'the flags of that time, remove the folders of these networks, or give another --folder.'
    )


def _facts(trained: config.TrainConfig) -> dict[str, str | int | None]:
  """What all networks of a table have in common, or where they come from, by name for users."""
  start = trained.fine_tune.checkpoint_path
  return {
    'the network': trained.net.model,
    '--image_size': trained.net.image_size,
    '--steps': trained.run.max_steps,
    '--seed': trained.run.seed,
    'the fingerprint of --data_dir': trained.data_fingerprint[:8],  # the folder may be moved
    'its start': os.path.basename(os.path.dirname(start)) if start else 'scratch',
  }


def find_start(setting: Setting, trained: Collection[Setting]) -> Setting | None:
  """Returns the setting whose network a setting starts from; None for a start from scratch.

  Args:
    setting: the setting to train.
    trained: the settings that are already trained.
  """
  if setting.smallest < setting.largest:
    before = Setting(setting.model, 384, 384)
  elif setting.smallest > 256:
    before = Setting(setting.model, 256, 256)
  else:
    before = Setting('vgg_a', 256, 256)
  if setting.model in ('vgg_a', 'vgg_a_lrn') or before not in trained:
    return None
  return before


def train_config(
  setting: Setting,
  recipe: Recipe,
  data_dir: str,
  manifest: Manifest,
  start: Setting | None = None,
  checkpoint: str | None = None,
) -> config.TrainConfig:
  """Returns the config of one setting, with S scaled to the recipe's image size.

  Args:
    setting: key of TABLE_3.
    recipe: training recipe.
    data_dir: folder of a converted data set.
    manifest: the data set's manifest.
    start: the setting whose network it starts from; None for a start from scratch.
    checkpoint: checkpoint of that network.
  """
  smallest, largest = (
    side * recipe.image_size // IMAGE_SIDE for side in (setting.smallest, setting.largest)
  )
  return config.TrainConfig(
    net=config.NetConfig(
      manifest.num_classes,
      specs.get(setting.model).thin(recipe.channels).name,
      image_size=recipe.image_size,
      fc_units=recipe.fc_units,
      dropout_keep_prob=recipe.dropout_keep_prob,
      initializer='he',
    ),
    # He initialization preserves the variance of its input; a scale of 1/64 makes it about one.
    preprocessing=config.PreprocessingConfig(
      manifest.rgb_mean, 1 / 64, smallest, largest, random_flip=manifest.mirror_safe
    ),
    optimizer=config.OptimizerConfig(recipe.learning_rate, 'cosine'),
    run=config.RunConfig(
      batch_size=recipe.batch_size,
      max_steps=recipe.steps,
      seed=recipe.seed,
      image_summary_every_steps=0,
      keep_checkpoints=1,
    ),
    fine_tune=config.FineTuneConfig(
      checkpoint_path=checkpoint,
      from_net_a=start is not None and start.model != setting.model,
    ),
    data_dir=os.path.abspath(data_dir),
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
  )


def make_tables(scored: Mapping[Setting, results.ScoredCheckpoint]) -> Tables:
  """Returns the rows of the settings in `scored`, in the paper's order, by table number."""
  single = [
    Row(results.combine([scored[s]], views.WHOLE, scored[s].config.test_scales[:1]), error)
    for s, error in TABLE_3.items()
    if s in scored
  ]
  several = [
    Row(results.combine([scored[s]], views.WHOLE), error)
    for s, error in TABLE_4.items()
    if s in scored
  ]
  crops = [
    Row(results.combine([scored[s]], view), error)
    for s, errors in TABLE_5.items()
    if s in scored
    for view, error in errors.items()
  ]
  return {3: single, 4: several, 5: crops}


def find_disagreements(rows: Sequence[Row]) -> tuple[list[tuple[Row, Row]], int]:
  """Finds the pairs of rows whose order by error is the reverse of the paper's.

  Returns:
    These pairs, and the number of pairs that are tied neither in the paper nor here.
  """
  pairs = [
    (a, b, (a.paper_error - b.paper_error) * (_error(a) - _error(b)))
    for a, b in itertools.combinations(rows, 2)
  ]
  return [(a, b) for a, b, sign in pairs if sign < 0], sum(sign != 0 for *_, sign in pairs)


def _error(row: Row) -> float:
  return row.line.result.top_1_error
