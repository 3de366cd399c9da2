"""Flags for the run itself: length, seed, logging, precision, devices, machines."""

from absl import flags

from vgg_slim.commands.flags import flag_groups, flag_values
from vgg_slim.configs import config
from vgg_slim.configs.run import FEWEST_STEPS

flags.disclaim_key_flags()


@flag_groups.headed('Run')
def define_run_flags() -> None:
  """Defines the flags of length, seed, logging, checkpoints and early stopping."""
  run = config.RunConfig
  flags.DEFINE_integer('batch_size', run.batch_size, 'Number of images per step.')
  flags.DEFINE_float(
    'epochs',
    None,
    'Number of passes over the training split; the paper has 74 over ImageNet. Defaults to '
    f'{run.epochs:g}, or to more if that is less than {FEWEST_STEPS} steps.',
  )
  flags.DEFINE_integer('max_steps', run.max_steps, 'Last step of the run; overrides --epochs.')
  flags.DEFINE_integer(
    'seed',
    run.seed,
    'Random seed for weight initialization, shuffling, augmentation and dropout.',
  )
  flags.DEFINE_integer(
    'log_every_steps', run.log_every_steps, 'Number of steps between two progress lines.'
  )
  flags.DEFINE_integer(
    'save_every_steps',
    run.save_every_steps,
    'Number of steps between two checkpoints, in addition to one after every epoch.',
  )
  flags.DEFINE_integer(
    'image_summary_every_steps',
    run.image_summary_every_steps,
    'Number of steps between two summaries of images and first-layer filters in TensorBoard; 0 for '
    'none, and none of the errors in validation either.',
  )
  flags.DEFINE_integer(
    'histogram_every_steps',
    run.histogram_every_steps,
    'Number of steps between two histograms of weights, gradients and activations; 0 for none.',
  )
  flags.DEFINE_list(
    'profile_steps',
    [],
    'First and last step to profile, such as 100,102. The times of all operations are written to '
    'TRAIN_DIR/profile/step-100.json, for chrome://tracing and ui.perfetto.dev.',
  )
  flags.DEFINE_integer(
    'keep_checkpoints',
    run.keep_checkpoints,
    'Number of checkpoints to keep; older ones are removed.',
  )
  flags.DEFINE_bool(
    'keep_best',
    run.keep_best,
    'Also keep the checkpoint of the best epoch, in TRAIN_DIR/best, which is itself a train_dir.',
  )
  flags.DEFINE_enum(
    'best_metric',
    run.best_metric,
    config.BEST_METRICS,
    'Validation metric that decides whether an epoch is better, for --keep_best, early stopping '
    'and plateau.',
  )
  flags.DEFINE_integer(
    'early_stop_patience',
    run.early_stop_patience,
    'Number of epochs without improvement after which the run ends. By default it does not end '
    'early.',
  )
  flags.DEFINE_float(
    'early_stop_min_delta',
    run.early_stop_min_delta,
    'Smallest improvement that early stopping counts.',
  )
  flags.DEFINE_integer(
    'alarm_steps',
    run.alarm_steps,
    'Number of steps after which a loss that stays at that of guessing causes a warning, and '
    'between two checks for dead units; 0 for no warnings.',
  )


def has_default_length() -> bool:
  """Whether the length of the run is not given by a flag."""
  return flags.FLAGS.epochs is None and flags.FLAGS.max_steps is None


def epochs_from_flags(num_examples: int | None) -> float:
  """Returns --epochs, or its default.

  Args:
    num_examples: number of images in the training split; None if there is none.
  """
  run = config.RunConfig
  if num_examples and has_default_length() and flags.FLAGS.batch_size > 0:
    return run.default_epochs(num_examples, flags.FLAGS.batch_size)
  return run.epochs if flags.FLAGS.epochs is None else flags.FLAGS.epochs


def run_config_from_flags(num_examples: int | None) -> config.RunConfig:
  """Returns the config of the flags that `define_run_flags` defines.

  Args:
    num_examples: number of images in the training split; None if there is none.

  Raises:
    ConfigError: a value is out of range.
  """
  return flag_values.from_flags(config.RunConfig, epochs=epochs_from_flags(num_examples))


@flag_groups.headed('Precision and device')
def define_runtime_flags() -> None:
  """Defines the flags of precision, threads and devices."""
  runtime = config.RuntimeConfig
  flags.DEFINE_enum(
    'precision',
    runtime.precision,
    config.PRECISIONS,
    'Compute precision of convolutions and matrix products; variables stay float32. bfloat16 is '
    'for CPUs with AMX or AVX-512 BF16; float16, with loss scaling, is for GPUs.',
  )
  flags.DEFINE_bool(
    'xla',
    runtime.xla,
    'Compile the graph with XLA where possible. On CPUs TensorFlow also needs the environment '
    'variable TF_XLA_FLAGS=--tf_xla_cpu_global_jit, and it is seldom faster: measure first.',
  )
  flags.DEFINE_integer(
    'num_threads',
    runtime.num_threads,
    'Number of threads per operation; 0 for one per core.',
  )
  flags.DEFINE_string(
    'gpus',
    runtime.gpus,
    f"Comma-separated indices of the GPUs to use, or '{config.NO_GPU}'. Defaults to all.",
  )
  flags.DEFINE_bool(
    'gpu_memory_growth',
    runtime.gpu_memory_growth,
    'Allocate GPU memory as it is needed; otherwise TensorFlow allocates all of it at once.',
  )


def runtime_config_from_flags() -> config.RuntimeConfig:
  """Returns the config of precision and devices.

  Raises:
    ConfigError: a value is out of range.
  """
  return flag_values.from_flags(config.RuntimeConfig)


@flag_groups.headed('Several devices')
def define_distribution_flags() -> None:
  """Defines the flags of training on several devices or machines."""
  distribution = config.DistributionConfig
  flags.DEFINE_integer(
    'num_devices',
    distribution.num_devices,
    'Number of GPUs of this machine, which share --batch_size equally. Without a GPU, the CPU is '
    'split into that many virtual devices, which is useful for tests but not faster. See '
    'docs/distributed.md.',
  )
  flags.DEFINE_bool(
    'sync_batch_norm',
    distribution.sync_batch_norm,
    'Compute batch norm statistics over the images of all devices; otherwise each device uses '
    'those of its own images.',
  )
  flags.DEFINE_float(
    'worker_timeout',
    distribution.worker_timeout,
    'Seconds after which one of several workers (TF_CONFIG) stops waiting for the others; it must '
    'exceed the slowest step, checkpoint or validation.',
  )


def distribution_config_from_flags() -> config.DistributionConfig:
  """Returns the config of training on several devices or machines.

  Raises:
    ConfigError: a value is out of range.
  """
  return flag_values.from_flags(config.DistributionConfig)
