"""The VGG paper's Tables 3 to 5 in miniature: thin networks on small images.

The paper's 224 px become `image_size`, its S and Q shrink in proportion, and the comparisons of its
tables (depth, scale jitter, several test scales, dense evaluation and multi-crop) are measured
again. Networks are initialized from each other as in section 3.1: deeper ones from A, S = 384 from
S = 256, and scale jitter from S = 384.
"""

import io
import itertools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vgg_slim.benchmarks.paper_errors import TABLE_3, TABLE_4, TABLE_5, Setting
from vgg_slim.configs import config
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import TrainingError
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
    TrainingError: the loss became infinite or NaN, or training was interrupted.
  """
  scored: Scored = {}
  checkpoints: dict[Setting, str] = {}
  settings = list(settings)
  work = [_multiply_adds(setting.model, recipe, manifest.num_classes) for setting in settings]
  began = time.monotonic()
  for i, setting in enumerate(settings):
    start = find_start(setting, checkpoints)
    trained = train_config(setting, recipe, data_dir, manifest, start)
    small = trained.preprocessing
    left = remaining_seconds(time.monotonic() - began, work, i)
    eta = '' if left is None else f', ETA {format_duration(left)}'
    reporter.phase(
      'network',
      f'{i + 1} of {len(settings)}: {trained.net.model}, S = {small.train_scale} px{eta}',
      number=i + 1,
      total=len(settings),
      model=trained.net.model,
      train_scale=small.train_scale,
      eta_seconds=left,
    )
    train_dir = os.path.join(folder, '_'.join(map(str, setting)))
    quiet = Reporter(io.StringIO())
    result = loop.run_training(trained, manifest, train_dir, None, quiet)
    if result.stopped_by:
      raise TrainingError(
        f'Stopped by {result.stopped_by}; {folder} holds the networks trained so far.'
      )
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
  """Returns the time that the rest of the work takes at the speed so far; None before the first.

  Args:
    elapsed: seconds since the beginning.
    work: amount of work of each part, in any unit.
    done: number of parts that are done.
  """
  return elapsed * sum(work[done:]) / sum(work[:done]) if done else None


def _multiply_adds(model: str, recipe: Recipe, num_classes: int) -> int:
  """Multiply-adds per image of a thin network, to which its training time is about proportional."""
  spec = specs.get(model).thin(recipe.channels)
  rows = summary.summarize(spec, num_classes, recipe.image_size, recipe.fc_units)
  return summary.total(rows).multiply_adds


def find_start(setting: Setting, checkpoints: Mapping[Setting, str]) -> config.FineTuneConfig:
  """Returns the checkpoint that a setting starts from, or a start from scratch.

  Args:
    setting: the setting to train.
    checkpoints: checkpoints of the settings that are already trained.
  """
  if setting.smallest < setting.largest:
    before = Setting(setting.model, 384, 384)
  elif setting.smallest > 256:
    before = Setting(setting.model, 256, 256)
  else:
    before = Setting('vgg_a', 256, 256)
  if setting.model in ('vgg_a', 'vgg_a_lrn') or before not in checkpoints:
    return config.FineTuneConfig()
  return config.FineTuneConfig(
    checkpoint_path=checkpoints[before], from_net_a=before.model != setting.model
  )


def train_config(
  setting: Setting,
  recipe: Recipe,
  data_dir: str,
  manifest: Manifest,
  start: config.FineTuneConfig,
) -> config.TrainConfig:
  """Returns the config of one setting, with S scaled to the recipe's image size."""
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
    fine_tune=start,
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
