"""Flags for schedule, optimizer and loss, with the defaults and checks of the config classes."""

from absl import flags

from vgg_slim.commands.flags import flag_groups, flag_values
from vgg_slim.configs import config

flags.disclaim_key_flags()


@flag_groups.headed('Learning rate')
def define_schedule_flags() -> None:
  """Defines --learning_rate and the flags of its schedule."""
  schedule = config.ScheduleConfig
  flags.DEFINE_float(
    'learning_rate',
    schedule.learning_rate,
    'Learning rate at step 0. VGG without batch norm needs at most 1e-2 with momentum SGD and at '
    'most 1e-4 with Adam.',
  )
  flags.DEFINE_enum(
    'learning_rate_decay_type',
    schedule.learning_rate_decay_type,
    config.DECAY_TYPES,
    'Schedule of the learning rate. exponential: times the factor every --epochs_per_decay; '
    'piecewise: changes at --learning_rate_boundaries; discrete_exponential: times the factor '
    'every --examples_per_decay; inverse_time: rate / (1 + factor * step), the decay of SGD in '
    'Keras; polynomial and cosine: down to --end_learning_rate; one_cycle: from 1/25 of '
    '--learning_rate up to it, then down to --end_learning_rate; plateau: times the factor '
    'whenever validation stops improving, as in the VGG paper.',
  )
  flags.DEFINE_float(
    'learning_rate_decay_factor',
    schedule.learning_rate_decay_factor,
    'Factor that the learning rate is multiplied by at each decay.',
  )
  flags.DEFINE_float(
    'epochs_per_decay',
    None,
    f'Number of epochs between two decays of exponential. Defaults to '
    f'{schedule.epochs_per_decay:g}, or proportionally more if the default of --epochs is larger.',
  )
  flags.DEFINE_bool(
    'staircase',
    schedule.staircase,
    'Let exponential decay at intervals; otherwise it decays a little at every step.',
  )
  flags.DEFINE_integer(
    'examples_per_decay',
    schedule.examples_per_decay,
    'Number of training images between two decays of discrete_exponential.',
  )
  flags.DEFINE_list(
    'learning_rate_boundaries',
    [],
    'Comma-separated epochs at which piecewise changes the learning rate, such as 30,60,80.',
  )
  flags.DEFINE_list(
    'learning_rate_values',
    [],
    'Comma-separated learning rates of piecewise after each boundary. By default each is the '
    'factor times the one before.',
  )
  flags.DEFINE_float(
    'end_learning_rate',
    schedule.end_learning_rate,
    'Learning rate at the end of polynomial, cosine and one_cycle.',
  )
  flags.DEFINE_float('decay_power', schedule.decay_power, 'Exponent of polynomial; 1 is linear.')
  flags.DEFINE_float(
    'schedule_epochs',
    schedule.schedule_epochs,
    'Number of epochs after which polynomial, cosine and one_cycle end. Defaults to the whole run; '
    'give it if --max_steps stops a run that will be resumed later.',
  )
  flags.DEFINE_float(
    'warmup_epochs',
    schedule.warmup_epochs,
    'Number of epochs of linear warmup before any schedule.',
  )
  flags.DEFINE_integer(
    'plateau_patience',
    schedule.plateau_patience,
    'Number of epochs without improvement in validation after which plateau decays.',
  )
  flags.DEFINE_float(
    'plateau_min_delta',
    schedule.plateau_min_delta,
    'Smallest improvement in validation that plateau counts.',
  )
  flags.DEFINE_integer(
    'plateau_max_falls',
    schedule.plateau_max_falls,
    'Largest number of decays of plateau; the paper has 3.',
  )


@flag_groups.headed('Optimizer and loss')
def define_optimizer_flags() -> None:
  """Defines the flags of schedule, update rule, weight decay, loss and gradients."""
  define_schedule_flags()
  optimizer = config.OptimizerConfig
  flags.DEFINE_enum('optimizer', optimizer.optimizer, config.OPTIMIZERS, 'Optimizer.')
  flags.DEFINE_float(
    'momentum', optimizer.momentum, 'Momentum of the momentum and rmsprop rules, in [0, 1).'
  )
  flags.DEFINE_bool('nesterov', optimizer.nesterov, 'Use Nesterov momentum.')
  flags.DEFINE_float(
    'adam_beta1',
    optimizer.adam_beta1,
    'Decay of the moving average of gradients in adam and adamw.',
  )
  flags.DEFINE_float(
    'adam_beta2',
    optimizer.adam_beta2,
    'Decay of the moving average of squared gradients in adam and adamw.',
  )
  flags.DEFINE_float(
    'rmsprop_decay',
    optimizer.rmsprop_decay,
    'Decay of the moving average of squared gradients in rmsprop.',
  )
  flags.DEFINE_float(
    'opt_epsilon',
    optimizer.opt_epsilon,
    'Small constant that keeps adam, adamw and rmsprop from dividing by 0.',
  )
  flags.DEFINE_float(
    'weight_decay',
    optimizer.weight_decay,
    'Factor of half the sum of squared weights in the loss; in adamw the decay is decoupled from '
    'the gradient.',
  )
  flags.DEFINE_list(
    'weight_decay_on',
    list(optimizer.weight_decay_on),
    'Comma-separated kinds of variables to decay: weights, biases, batch_norm (its scale and '
    'shift, which are usually better not decayed).',
  )
  flags.DEFINE_float(
    'clip_gradient_norm',
    optimizer.clip_gradient_norm,
    'Largest global norm of the gradients, which are scaled down to it. By default not limited.',
  )
  flags.DEFINE_integer(
    'gradient_accumulation_steps',
    optimizer.gradient_accumulation_steps,
    'Number of micro-batches that each batch is divided into, for batches that do not fit into '
    'memory. The step is the same as with the whole batch, except that batch norm uses the '
    'statistics of each micro-batch.',
  )
  flags.DEFINE_float(
    'label_smoothing',
    optimizer.label_smoothing,
    'Fraction of the target probability that is distributed evenly over all classes, usually 0.1; '
    '0 disables label smoothing.',
  )
  flags.DEFINE_float(
    'moving_average_decay',
    optimizer.moving_average_decay,
    'Decay, such as 0.999, of moving averages of all variables, which validation then uses. By '
    'default there are none.',
  )


def optimizer_config_from_flags(stretch: float = 1.0) -> config.OptimizerConfig:
  """Returns the optimizer and its schedule.

  Args:
    stretch: factor by which the default of --epochs_per_decay is multiplied.

  Raises:
    ConfigError: a value is out of range.
  """
  given = flags.FLAGS.epochs_per_decay
  epochs_per_decay = config.ScheduleConfig.epochs_per_decay * stretch if given is None else given
  return flag_values.from_flags(config.OptimizerConfig, epochs_per_decay=epochs_per_decay)
