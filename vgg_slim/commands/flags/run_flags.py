"""Flags of the run itself: length, seed, logging, precision, devices, machines."""

from absl import flags

from vgg_slim.commands.flags import flag_groups, flag_values
from vgg_slim.configs import config
from vgg_slim.configs.run import FEWEST_STEPS

flags.disclaim_key_flags()


@flag_groups.headed('Run')
def define_run_flags() -> None:
  """How long, how often, from which seed."""
  run = config.RunConfig
  flags.DEFINE_integer('batch_size', run.batch_size, 'Pictures in a step.')
  flags.DEFINE_float(
    'epochs',
    None,
    f'Passes over the training split; the paper has 74 over ImageNet. By default '
    f'{run.epochs:g}, or as many as make {FEWEST_STEPS} steps.',
  )
  flags.DEFINE_integer('max_steps', run.max_steps, 'Last step, in the place of --epochs.')
  flags.DEFINE_integer('seed', run.seed, 'Of weights, order, augmentation and dropout.')
  flags.DEFINE_integer('log_every_steps', run.log_every_steps, 'Steps between two progress lines.')
  flags.DEFINE_integer(
    'save_every_steps',
    run.save_every_steps,
    'Steps between two checkpoints, besides the one at the end of every epoch.',
  )
  flags.DEFINE_integer(
    'image_summary_every_steps',
    run.image_summary_every_steps,
    'Steps between two looks at pictures and first filters in TensorBoard; 0 for none, neither of '
    'what validation confuses.',
  )
  flags.DEFINE_integer(
    'histogram_every_steps',
    run.histogram_every_steps,
    'Steps between two histograms of weights, gradients and activations; 0 for none.',
  )
  flags.DEFINE_list(
    'profile_steps',
    [],
    'First and last step whose operations are timed, such as 100,102: into '
    "TRAIN_DIR/profile/step-100.json, for Chrome's chrome://tracing and ui.perfetto.dev.",
  )
  flags.DEFINE_integer(
    'keep_checkpoints', run.keep_checkpoints, 'Checkpoints that are kept; older ones are removed.'
  )
  flags.DEFINE_bool(
    'keep_best',
    run.keep_best,
    'Keep the checkpoint of the best epoch besides, in TRAIN_DIR/best, a train_dir of its own.',
  )
  flags.DEFINE_enum(
    'best_metric',
    run.best_metric,
    config.BEST_METRICS,
    'Validation by which an epoch is better: for --keep_best, early stopping and plateau.',
  )
  flags.DEFINE_integer(
    'early_stop_patience',
    run.early_stop_patience,
    'End after so many epochs without a better one. By default never.',
  )
  flags.DEFINE_float(
    'early_stop_min_delta',
    run.early_stop_min_delta,
    'By how much an epoch has to be better to count for it.',
  )
  flags.DEFINE_integer(
    'alarm_steps',
    run.alarm_steps,
    'Say so when the loss stays at that of guessing for so many steps, and look for dead units as '
    'often; 0 for no alarms.',
  )


def has_default_length() -> bool:
  """Whether no flag says how long a run is."""
  return flags.FLAGS.epochs is None and flags.FLAGS.max_steps is None


def epochs_from_flags(num_examples: int | None) -> float:
  """--epochs, or its default for a training split of this size; None where there is none."""
  run = config.RunConfig
  if num_examples and has_default_length() and flags.FLAGS.batch_size > 0:
    return run.default_epochs(num_examples, flags.FLAGS.batch_size)
  return run.epochs if flags.FLAGS.epochs is None else flags.FLAGS.epochs


def run_config_from_flags(num_examples: int | None) -> config.RunConfig:
  """The length and the rhythm of a run over a training split of this size, or of none.

  Raises:
    ConfigError: a value out of range.
  """
  return flag_values.from_flags(config.RunConfig, epochs=epochs_from_flags(num_examples))


@flag_groups.headed('Precision and device')
def define_runtime_flags() -> None:
  """Precision, threads, devices."""
  runtime = config.RuntimeConfig
  flags.DEFINE_enum(
    'precision',
    runtime.precision,
    config.PRECISIONS,
    'Of convolutions and products; variables stay float32. bfloat16 is for CPUs with AMX or '
    'AVX-512 BF16; float16, with a loss that is scaled, for GPUs.',
  )
  flags.DEFINE_bool(
    'xla',
    runtime.xla,
    'Compile with XLA what it can. On a CPU TensorFlow also wants to see the environment variable '
    'TF_XLA_FLAGS=--tf_xla_cpu_global_jit, and it seldom pays: measure first.',
  )
  flags.DEFINE_integer(
    'num_threads', runtime.num_threads, 'Threads of one operation; 0 for one on every core.'
  )
  flags.DEFINE_string(
    'gpus',
    runtime.gpus,
    f"Numbers of the GPUs to use, with commas, or '{config.NO_GPU}'. By default all.",
  )
  flags.DEFINE_bool(
    'gpu_memory_growth',
    runtime.gpu_memory_growth,
    "Take a GPU's memory as it is needed; else TensorFlow takes all of it at once.",
  )


def runtime_config_from_flags() -> config.RuntimeConfig:
  """Raises ConfigError for a value out of range."""
  return flag_values.from_flags(config.RuntimeConfig)


@flag_groups.headed('Several devices')
def define_distribution_flags() -> None:
  """Devices and machines."""
  distribution = config.DistributionConfig
  flags.DEFINE_integer(
    'num_devices',
    distribution.num_devices,
    'GPUs of this machine that share --batch_size equally. Without a GPU the CPU poses as so many '
    'devices, which serves to try things out and gains no speed. See docs/distributed.md.',
  )
  flags.DEFINE_bool(
    'sync_batch_norm',
    distribution.sync_batch_norm,
    "Batch norm over all devices' pictures together; else each has the statistics of its own.",
  )
  flags.DEFINE_float(
    'worker_timeout',
    distribution.worker_timeout,
    'Seconds after which one of several workers (TF_CONFIG) gives up waiting for the others: more '
    'than the slowest step, checkpoint or validation takes.',
  )


def distribution_config_from_flags() -> config.DistributionConfig:
  """Raises ConfigError for a value out of range."""
  return flag_values.from_flags(config.DistributionConfig)
