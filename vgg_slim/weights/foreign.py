"""The contents of a weight file before anything is renamed or reshaped. No TensorFlow."""

import dataclasses
import re
from collections.abc import Collection

import numpy as np

from vgg_slim.errors import CheckpointError, reason

# Training state that is stored beside the weights: steps, counters, optimizer slots, moving
# averages and the state of Python objects (best epoch, patience).
_BOOKKEEPING = re.compile(
  r'(^|/)(global_step|mean_rgb|save_counter|beta[12]_power)$'
  r'|(^|/)(learning_rate_scale|current_loss_scale|good_steps)$|^host_state/'
  r'|/(Momentum|Adam|Adam_1|RMSProp|RMSProp_1|Adagrad|ExponentialMovingAverage)$'
  r'|(^|\.)num_batches_tracked$'
  r'|^(optimizer|optimizer_weights|_CHECKPOINTABLE_OBJECT_GRAPH)(/|$)'
)


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
  """The arrays of one file, and the layout that its framework uses.

  It is read in a child process, so that all fields but `arrays` hold what JSON can hold, and tuples
  instead of lists.

  Attributes:
    format: name of the format for messages, such as 'Keras .weights.h5'.
    framework: 'slim', 'keras', 'torch', 'onnx' or 'npz'.
    arrays: float32 arrays by foreign name, `LAYER/PART` or `LAYER.PART`, in the file's order.
    skipped: names of training state that was not read.
    channels_first: whether convolution kernels are OIHW rather than HWIO.
    flattens_channels_first: whether maps are flattened channel by channel (CHW).
    dense_out_in: whether dense kernels are [out, in] rather than [in, out].
    in_order: whether the arrays are in the order of the network's layers.
    epsilons: epsilon of batch norms by foreign layer name, where the file holds it.
    input_note: what is known about the input of networks in such files, a line of the report.
    image_size: side of the images that the network was built for, in pixels, where the file holds
      it.
    activation: name of the activation behind the last layer, where the file holds it.
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
  input_note: str = ''
  image_size: int | None = None
  activation: str = ''

  def kernel_shape(self, name: str) -> tuple[int, ...]:
    """Shape of a kernel with the axes in our order: [kh, kw, in, out], or [in, out]."""
    shape = self.arrays[name].shape
    if len(shape) == 4 and self.channels_first:
      return shape[2], shape[3], shape[1], shape[0]
    return shape[::-1] if len(shape) == 2 and self.dense_out_in else shape

  def without(self, names: Collection[str]) -> 'ForeignWeights':
    """The same file without some of its arrays."""
    kept = {name: array for name, array in self.arrays.items() if name not in names}
    return dataclasses.replace(self, arrays=kept)


def is_bookkeeping(name: str) -> bool:
  """Whether `name` is training state, which other networks cannot use."""
  return _BOOKKEEPING.search(name) is not None


def unreadable(path: str, kind: str, error: Exception) -> CheckpointError:
  """Returns the error for a file that its own library cannot read."""
  return CheckpointError(f'{path} cannot be read as {kind}; is the file complete? {reason(error)}')


def as_float32(path: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Converts all arrays to float32.

  Raises:
    CheckpointError: arrays are not floating point or hold values that are not finite; all of them
      are listed.
  """
  problems = []
  converted = {}
  for name, array in arrays.items():
    # The bfloat16 of ml_dtypes is not a subtype of np.floating.
    if not (np.issubdtype(array.dtype, np.floating) or array.dtype.name == 'bfloat16'):
      problems.append(f'{name} is {array.dtype}')
      continue
    with np.errstate(over='ignore'):  # reported as not finite
      converted[name] = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(converted[name]).all():
      problems.append(f'{name} holds values that are not finite')
  if problems:
    raise CheckpointError(f'{path}: expected finite numbers, but {"; ".join(problems)}.')
  return converted
