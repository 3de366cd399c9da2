"""The hooks of a training run: which there are, and in which order they act."""

import functools
from collections.abc import Callable

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.training import summaries
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.graph import TrainOps
from vgg_slim.training.hooks import alarms, progress, recorder, selection, tracing
from vgg_slim.training.hooks.base import Hook


def build_hooks(
  config: TrainConfig,
  ops: TrainOps,
  train_dir: str,
  epochs: Epochs,
  total_steps: int,
  reporter: progress.Reporter,
  summarize_validation: Callable[[], tf.Summary] | None,
) -> list[Hook]:
  """All hooks of a run in their order; the recorder comes last, as its row ends an epoch.

  Args:
    config: the run.
    ops: of the training graph, which is the default one and has no saver yet.
    train_dir: is given the files.
    epochs: of this run.
    total_steps: its length.
    reporter: is given the lines.
    summarize_validation: what TensorBoard shows of the last validation besides its numbers.
  """
  run, metric = config.run, config.run.best_metric
  # Taken before savers and initialisers join the graph: with these, TensorBoard moves the network
  # out of the picture as a node of too many neighbours.
  graph_def = tf.get_default_graph().as_graph_def().SerializeToString()
  looks = _build_looks(config, ops)
  return [
    *alarms.build_alarms(config, ops, reporter),
    tracing.Tracer(run.profile_steps, train_dir),
    selection.Plateau(config.optimizer, metric, ops.learning_rate_scale, reporter),
    selection.KeepBest(run, train_dir, reporter),
    selection.EarlyStopping(run, reporter),
    recorder.Recorder(
      config, epochs, train_dir, total_steps, looks, graph_def, reporter, summarize_validation
    ),
  ]


def _build_looks(config: TrainConfig, ops: TrainOps) -> list[summaries.Look]:
  every_steps = config.run.image_summary_every_steps
  draw = functools.partial(summaries.summarize_samples, class_names=config.class_names)
  looks = [summaries.Look(ops.samples, every_steps, draw)]
  filters = summaries.build_filters(slim.get_model_variables())
  if filters is not None:
    looks.append(summaries.Look(filters, every_steps))
  if config.run.histogram_every_steps:
    histograms = summaries.build_histograms(ops.gradients, ops.end_points)
    looks.append(summaries.Look(histograms, config.run.histogram_every_steps))
  return looks
