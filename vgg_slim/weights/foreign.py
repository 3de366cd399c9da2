"""What a weight file holds before anything is renamed or reshaped. No TensorFlow."""

import dataclasses
import re

import numpy as np

from vgg_slim.errors import CheckpointError

# Left by training beside the weights: steps, counters, optimizer slots, averages of variables, what
# Python keeps (best epoch, patience).
_BOOKKEEPING = re.compile(
  r'(^|/)(global_step|mean_rgb|save_counter|beta[12]_power)$'
  r'|(^|/)(learning_rate_scale|current_loss_scale|good_steps)$|^host_state/'
  r'|/(Momentum|Adam|Adam_1|RMSProp|RMSProp_1|Adagrad|ExponentialMovingAverage)$'
  r'|(^|\.)num_batches_tracked$'
  r'|^(optimizer|optimizer_weights|_CHECKPOINTABLE_OBJECT_GRAPH)(/|$)'
)


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
  """Arrays of one file and how its framework lays them out.

  Attributes:
    format: for people, such as 'Keras .weights.h5'.
    framework: 'slim', 'keras', 'torch', 'onnx' or 'npz'.
    arrays: float32 by foreign name, `LAYER/PART` or `LAYER.PART`, in the order of the file.
    skipped: names of bookkeeping that was not read.
    channels_first: whether convolutions are OIHW.
    flattens_channels_first: whether maps are flattened channel by channel (CHW).
    dense_out_in: whether matrices are [out, in].
    in_order: whether the order of the arrays is that of the network's layers.
    epsilons: batch norm's, by foreign layer, where the file says so.
  """

  format: str
  framework: str
  arrays: dict[str, np.ndarray]
  skipped: tuple[str, ...] = ()
  channels_first: bool = False
  flattens_channels_first: bool = False
  dense_out_in: bool = False
  in_order: bool = False
  epsilons: dict[str, float] = dataclasses.field(default_factory=dict)


def is_bookkeeping(name: str) -> bool:
  """Whether `name` is what a run keeps for itself, of no use to another network."""
  return _BOOKKEEPING.search(name) is not None


def unreadable(path: str, kind: str, error: Exception) -> CheckpointError:
  """The error for a file that its own library cannot read: cut off, damaged or something else."""
  reason = ' '.join(str(error).split()) or type(error).__name__
  if len(reason) > 200:
    reason = f'{reason[:200]}...'
  return CheckpointError(f'{path} cannot be read as {kind}; is it whole? {reason}')


def as_float32(path: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Converts all arrays to float32.

  Raises:
    CheckpointError: arrays that are not floating point, or hold values that are not finite; lists
      all of them.
  """
  problems = []
  converted = {}
  for name, array in arrays.items():
    # ml_dtypes' bfloat16 is no sub-type of np.floating.
    if not (np.issubdtype(array.dtype, np.floating) or array.dtype.name == 'bfloat16'):
      problems.append(f'{name} is {array.dtype}')
      continue
    converted[name] = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(converted[name]).all():
      problems.append(f'{name} holds values that are not finite')
  if problems:
    raise CheckpointError(f'{path}: expected finite numbers, but {"; ".join(problems)}.')
  return converted
