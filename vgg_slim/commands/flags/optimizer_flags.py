"""Flags of schedule, optimizer and loss; defaults and checks are those of the configs."""

from absl import flags

from vgg_slim.commands.flags import flag_groups, flag_values
from vgg_slim.configs import config

flags.disclaim_key_flags()


@flag_groups.headed('Learning rate')
def define_schedule_flags() -> None:
  """--learning_rate and how it changes."""
  schedule = config.ScheduleConfig
  flags.DEFINE_float(
    'learning_rate',
    schedule.learning_rate,
    'Learning rate at step 0. Momentum SGD on VGG without batch norm learns at 1e-2 and below; '
    'Adam wants 1e-4 or less there.',
  )
  flags.DEFINE_enum(
    'learning_rate_decay_type',
    schedule.learning_rate_decay_type,
    config.DECAY_TYPES,
    'How the rate falls. exponential: by the factor every --epochs_per_decay; piecewise: at '
    '--learning_rate_boundaries; discrete_exponential: every --examples_per_decay; inverse_time: '
    "rate / (1 + factor * step), the decay of Keras's SGD; polynomial and cosine: to "
    '--end_learning_rate at the end; one_cycle: from a 25th up to --learning_rate, then down; '
    'plateau: by the factor when validation stops improving, as in the VGG paper.',
  )
  flags.DEFINE_float(
    'learning_rate_decay_factor',
    schedule.learning_rate_decay_factor,
    'What the rate is multiplied by at each fall.',
  )
  flags.DEFINE_float(
    'epochs_per_decay',
    None,
    f'Epochs between two falls of exponential. By default {schedule.epochs_per_decay:g}, or '
    'more in proportion where --epochs has a larger default.',
  )
  flags.DEFINE_bool(
    'staircase', schedule.staircase, 'Let exponential fall in steps; else a little at every step.'
  )
  flags.DEFINE_integer(
    'examples_per_decay',
    schedule.examples_per_decay,
    'Pictures trained on between two falls of discrete_exponential.',
  )
  flags.DEFINE_list(
    'learning_rate_boundaries', [], 'Epochs at which piecewise changes the rate: 30,60,80.'
  )
  flags.DEFINE_list(
    'learning_rate_values',
    [],
    'Rates of piecewise after each boundary; by default the factor times the one before.',
  )
  flags.DEFINE_float(
    'end_learning_rate',
    schedule.end_learning_rate,
    'Where polynomial, cosine and one_cycle end.',
  )
  flags.DEFINE_float(
    'decay_power', schedule.decay_power, 'Power of polynomial; 1 is a straight line.'
  )
  flags.DEFINE_float(
    'schedule_epochs',
    schedule.schedule_epochs,
    'Epochs over which these three run. By default the whole run; give it where --max_steps stops '
    'a run that will go on later.',
  )
  flags.DEFINE_float(
    'warmup_epochs',
    schedule.warmup_epochs,
    'Epochs in which the rate climbs in a straight line, in front of any schedule.',
  )
  flags.DEFINE_integer(
    'plateau_patience',
    schedule.plateau_patience,
    'Epochs without a better validation before plateau falls.',
  )
  flags.DEFINE_float(
    'plateau_min_delta',
    schedule.plateau_min_delta,
    'By how much an epoch has to be better to count.',
  )
  flags.DEFINE_integer(
    'plateau_max_falls', schedule.plateau_max_falls, 'How often plateau falls; 3 in the paper.'
  )


@flag_groups.headed('Optimizer and loss')
def define_optimizer_flags() -> None:
  """The update rule, weight decay, and what is done to loss and gradients."""
  define_schedule_flags()
  optimizer = config.OptimizerConfig
  flags.DEFINE_enum('optimizer', optimizer.optimizer, config.OPTIMIZERS, 'Update rule.')
  flags.DEFINE_float('momentum', optimizer.momentum, 'Of momentum and rmsprop, in [0, 1).')
  flags.DEFINE_bool('nesterov', optimizer.nesterov, "Nesterov's form of momentum.")
  flags.DEFINE_float(
    'adam_beta1', optimizer.adam_beta1, 'Decay of the mean of gradients in adam and adamw.'
  )
  flags.DEFINE_float('adam_beta2', optimizer.adam_beta2, 'Decay of the mean of their squares.')
  flags.DEFINE_float(
    'rmsprop_decay', optimizer.rmsprop_decay, 'Decay of the mean of squares in rmsprop.'
  )
  flags.DEFINE_float(
    'opt_epsilon', optimizer.opt_epsilon, 'Keeps adam, adamw and rmsprop from dividing by 0.'
  )
  flags.DEFINE_float(
    'weight_decay',
    optimizer.weight_decay,
    'Multiplies half the sum of squared weights in the loss; adamw takes it beside the gradient.',
  )
  flags.DEFINE_list(
    'weight_decay_on',
    list(optimizer.weight_decay_on),
    'What it is taken of, with commas: weights, biases, batch_norm. Batch norm undoes the scale of '
    'the weights before it; its own scale and shift are best left alone.',
  )
  flags.DEFINE_float(
    'clip_gradient_norm',
    optimizer.clip_gradient_norm,
    'Scale all gradients down to this global norm where it is larger. By default no limit.',
  )
  flags.DEFINE_integer(
    'gradient_accumulation_steps',
    optimizer.gradient_accumulation_steps,
    'Pass each batch through the network in so many parts, for a batch that does not fit into '
    'memory. The step is the same as with the whole batch, but for batch norm, which sees parts.',
  )
  flags.DEFINE_float(
    'label_smoothing',
    optimizer.label_smoothing,
    'Share of the target spread over all classes; 0.1 is usual, 0 is none.',
  )
  flags.DEFINE_float(
    'moving_average_decay',
    optimizer.moving_average_decay,
    'Keep averages of all variables with this decay, such as 0.999, and validate with them.',
  )


def optimizer_config_from_flags(stretch: float = 1.0) -> config.OptimizerConfig:
  """The optimizer and its schedule.

  Args:
    stretch: what the default of --epochs_per_decay is multiplied by.

  Raises:
    ConfigError: a value out of range.
  """
  given = flags.FLAGS.epochs_per_decay
  epochs_per_decay = config.ScheduleConfig.epochs_per_decay * stretch if given is None else given
  return flag_values.from_flags(config.OptimizerConfig, epochs_per_decay=epochs_per_decay)
