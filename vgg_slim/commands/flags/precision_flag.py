"""The flag --precision of commands that only run a network. Loads no TensorFlow by itself."""

import logging

from absl import flags

from vgg_slim.commands.flags import flag_groups
from vgg_slim.configs import runtime

flags.disclaim_key_flags()

_NAME = 'precision'


def define() -> None:
  """Defines --precision, as `evaluate` does by the fields of its config."""
  flags.DEFINE_enum(_NAME, runtime.AUTO, runtime.INFERENCE_PRECISIONS, runtime.INFERENCE_HELP)
  flag_groups.set_heading(_NAME, runtime.HEADING)


def warn() -> None:
  """Warns where the processor gains nothing by --precision=bfloat16; loads TensorFlow."""
  from vgg_slim import sessions

  if not sessions.gains_nothing(str(flags.FLAGS[_NAME].value)):
    return
  if sessions.computed_precision('bfloat16') == 'float32':
    text = 'everything is computed in float32, with weights that are rounded to bfloat16'
  else:
    text = 'TensorFlow imitates them, which is slow'
  logging.getLogger('vgg_slim').warning(
    '--precision=bfloat16: this processor has no bfloat16 instructions; %s.', text
  )
