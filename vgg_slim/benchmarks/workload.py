"""Benchmark workloads, and their number of floating-point operations. No TensorFlow."""

import dataclasses
import os

from vgg_slim.configs.runtime import PRECISIONS, RuntimeConfig
from vgg_slim.constants import FC_UNITS, NUM_IMAGENET_CLASSES
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs, summary
from vgg_slim.nets.net_spec import Layer, output_sides

KINDS = (
  'forward',
  'forward_backward',
  'train_step',
  'input',
  'end_to_end',
  'dense',
  'cold_start',
  'convert',
)
TRAINING = ('forward_backward', 'train_step', 'end_to_end')
WITH_BUDGET = ('train_step', 'end_to_end')
WITHOUT_ARITHMETIC = ('input', 'convert')
_LEAST = {'batch_size': 1, 'image_size': 1, 'num_classes': 2, 'fc_units': 1, 'threads': 1}
_LEAST_CONVERTED = 10  # two classes, and a fifth of each goes to the validation split


@dataclasses.dataclass(frozen=True)
class Workload:
  """One row of a benchmark.

  Attributes:
    what: one of KINDS.
    model: name of the network.
    batch_size: number of images per batch; for 'convert', number of images of the data set.
    image_size: side of the images, in pixels.
    num_classes: number of classes K.
    fc_units: number of units of fc6 and fc7.
    precision: one of PRECISIONS, for activations and arithmetic; weights stay float32.
    threads: number of CPU threads; for 'convert', number of worker processes.
    data_dir: folder of a converted data set, for 'input' and 'end_to_end'.
    memory_budget: memory budget of a training step, see `configs.runtime`; None for none.
  """

  what: str
  model: str
  batch_size: int
  image_size: int
  num_classes: int = NUM_IMAGENET_CLASSES
  fc_units: int = FC_UNITS
  precision: str = 'float32'
  threads: int = dataclasses.field(default_factory=lambda: len(os.sched_getaffinity(0)))
  data_dir: str | None = None
  memory_budget: str | None = None

  def __post_init__(self):
    problems = []
    if self.memory_budget is not None and self.what not in WITH_BUDGET:
      problems.append(f'memory_budget is for {" and ".join(WITH_BUDGET)}, not for {self.what}')
    if self.what not in KINDS:
      problems.append(f'what must be one of {", ".join(KINDS)}, got {self.what!r}')
    if self.precision not in PRECISIONS:
      problems.append(f'precision must be one of {", ".join(PRECISIONS)}, got {self.precision!r}')
    is_conversion = self.what == 'convert'
    least_values = {**_LEAST, 'batch_size': _LEAST_CONVERTED} if is_conversion else _LEAST
    problems += [
      f'{name} must be at least {least}, got {getattr(self, name)}'
      for name, least in least_values.items()
      if getattr(self, name) < least
    ]
    if problems:
      raise ConfigError('; '.join(problems) + '.')
    _ = self.runtime  # checks the memory budget
    if is_conversion:
      return
    spec = specs.get(self.model)
    spec.map_side(self.image_size)
    if self.what == 'dense' and self.image_size < spec.image_size:
      raise ConfigError(
        f'image_size={self.image_size} is below the {spec.image_size} pixels of {self.model}: '
        'dense evaluation slides the network over larger images.'
      )

  @property
  def data_set(self) -> str:
    """`data_dir`, for a workload that reads a data set."""
    if self.data_dir is None:
      raise ConfigError(f'what={self.what} reads a converted data set: give data_dir.')
    return self.data_dir

  @property
  def net_side(self) -> int:
    """Side in pixels at which the network gives a 1x1 score map: `image_size`, unless 'dense'."""
    return specs.get(self.model).image_size if self.what == 'dense' else self.image_size

  @property
  def scales(self) -> tuple[int, int]:
    """Range of S in pixels, in the paper's proportion: 256 to 512 for crops of 224 pixels."""
    return self.net_side * 8 // 7, self.net_side * 16 // 7

  @property
  def runtime(self) -> RuntimeConfig:
    """Config of the TensorFlow session; `turns` sets the number of threads of the process."""
    return RuntimeConfig(self.precision, memory_budget=self.memory_budget)

  def layers(self) -> tuple[Layer, ...]:
    """Every layer of the network, in order."""
    return specs.get(self.model).layers(self.num_classes, self.net_side, self.fc_units)


def flop(workload: Workload) -> int:
  """Returns the number of floating-point operations of one batch, two per multiply-add.

  The backward pass of each layer computes the gradients of its weights and of its input, with as
  many operations each as the forward pass; the first layer needs no gradient of its input, the
  images. The result for 'input' and 'convert' is 0.
  """
  if workload.what in WITHOUT_ARITHMETIC:
    return 0
  spec = specs.get(workload.model)
  rows = summary.summarize(spec, workload.num_classes, workload.net_side, workload.fc_units)
  sides = output_sides(workload.layers(), workload.image_size)
  # The multiply-adds of a layer are proportional to the number of pixels of its output.
  forward = [
    row.multiply_adds * sides[row.name] ** 2 // (row.output_shape[0] * row.output_shape[1])
    for row in rows
  ]
  total = sum(forward)
  if workload.what in TRAINING:
    total = 3 * total - forward[0]
  return 2 * workload.batch_size * total
