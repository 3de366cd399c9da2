"""The hooks of a training run, in the order in which they are called."""

import functools
from collections.abc import Callable

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.reporting import Reporter
from vgg_slim.training import summaries
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.graph import TrainOps
from vgg_slim.training.hooks import alarms, recorder, selection, tracing
from vgg_slim.training.hooks.base import Hook


def build_hooks(
  config: TrainConfig,
  ops: TrainOps,
  train_dir: str,
  epochs: Epochs,
  total_steps: int,
  reporter: Reporter,
  summarize_validation: Callable[[], tf.Summary] | None,
) -> list[Hook]:
  """All hooks of a run, in order; the recorder is last, since its row marks an epoch as done.

  Args:
    config: config of the run.
    ops: handles of the training graph, which is the default graph and has no saver yet.
    train_dir: folder for the files.
    epochs: positions at which the epochs of the run end.
    total_steps: length of the run in steps.
    reporter: receiver of the progress lines.
    summarize_validation: function that returns a TensorBoard summary of the last validation, shown
      in addition to loss and accuracy.
  """
  run, metric = config.run, config.run.best_metric
  # Before savers and initializers are added: with these the network has so many neighbors that
  # TensorBoard removes it from the main graph.
  graph_def = tf.get_default_graph().as_graph_def().SerializeToString()
  periodic = _build_periodic_summaries(config, ops)
  return [
    *alarms.build_alarms(config, ops, reporter),
    tracing.Tracer(run.profile_steps, train_dir),
    selection.Plateau(config.optimizer, metric, ops.learning_rate_scale, reporter),
    selection.KeepBest(run, train_dir, reporter),
    selection.EarlyStopping(run, reporter),
    recorder.Recorder(
      config, epochs, train_dir, total_steps, periodic, graph_def, reporter, summarize_validation
    ),
  ]


def _build_periodic_summaries(
  config: TrainConfig, ops: TrainOps
) -> list[summaries.PeriodicSummary]:
  every_steps = config.run.image_summary_every_steps
  draw = functools.partial(summaries.summarize_samples, class_names=config.class_names)
  periodic = [summaries.PeriodicSummary(ops.samples, every_steps, draw)]
  filters = summaries.build_filters(slim.get_model_variables())
  if filters is not None:
    periodic.append(summaries.PeriodicSummary(filters, every_steps))
  if config.run.histogram_every_steps:
    histograms = summaries.build_histograms(ops.gradients, ops.end_points)
    periodic.append(summaries.PeriodicSummary(histograms, config.run.histogram_every_steps))
  return periodic
