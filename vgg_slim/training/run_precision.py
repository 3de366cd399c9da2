"""The precision in which a run is computed on the machine at hand."""

import dataclasses
from collections.abc import Callable

from vgg_slim import sessions
from vgg_slim.configs.config import TrainConfig


def settle(config: TrainConfig, say: Callable[[str], None]) -> TrainConfig:
  """Returns the config of a run with the precision that this machine computes it in.

  A run in bfloat16 becomes one in float32 where its sessions compute in float32, so that it has the
  faster convolutions of float32, and its memory is counted.

  Args:
    config: config of the run; call `sessions.configure` with it before.
    say: function that receives a line where the processor gains nothing by bfloat16.
  """
  runtime = config.runtime
  if not sessions.gains_nothing(runtime.precision):
    return config
  computed = sessions.computed_precision(runtime.precision)
  if computed == runtime.precision:
    say(
      'Warning: this processor has no bfloat16 instructions. TensorFlow imitates them, which is '
      'slow: try --precision=float32.'
    )
  else:
    say(f'This processor has no bfloat16 instructions: the run is computed in {computed}.')
  return dataclasses.replace(config, runtime=dataclasses.replace(runtime, precision=computed))
