"""How many images a validation within a training process may hold at once. No TensorFlow."""

from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.runtime import format_like, parse_size
from vgg_slim.nets import net_spec, specs, summary
from vgg_slim.training import step_memory

DEFAULT_BATCH_SIZE = 64
_FLOAT32 = 4  # bytes


def batch_size(
  config: TrainConfig, num_workers: int = 1, wanted: int | None = None
) -> tuple[int, str | None]:
  """The batch size of validations, and one line about it where the memory budget decides.

  A validation has the weights, the kernels that Winograd's algorithm caches, and the maps of its
  images. The variables of the run are released meanwhile, but those of workers stay.

  Args:
    config: config of the run.
    num_workers: number of processes that train together.
    wanted: the batch size to take, whatever it needs; None for the largest one, up to
      DEFAULT_BATCH_SIZE, that fits.
  """
  budget = config.runtime.memory_budget
  if budget is None:
    return wanted or DEFAULT_BATCH_SIZE, None
  fixed, each = needed_memory(config, num_workers)
  images = (parse_size(budget) - fixed) // each
  if wanted and wanted > images:
    needs = format_like(fixed + wanted * each, budget)
    return wanted, f'Memory budget {budget}: validation at batch {wanted} needs {needs}.'
  if images < 1:
    needs = format_like(fixed + each, budget)
    return 1, f'Memory budget {budget}: validation needs {needs} even with one image at once.'
  images = wanted or min(images, DEFAULT_BATCH_SIZE)
  peak = format_like(fixed + images * each, budget)
  return images, f'Memory budget {budget}: validation at batch {images}, predicted peak {peak}.'


def needed_memory(config: TrainConfig, num_workers: int = 1) -> tuple[int, int]:
  """Bytes of a process that validates between two steps: without images, and for each image."""
  net, memory = config.net, step_memory.describe(config)
  layers = specs.get(net.model).layers(net.num_logits, net.image_size, net.fc_units, net.head)
  sides = net_spec.output_sides(layers, net.image_size)
  size = summary.PRECISIONS[config.runtime.precision].activation
  maps = {net_spec.IMAGES: 3 * net.image_size**2 * size}
  cached = largest = 0
  for layer, n_in in net_spec.with_input_channels(layers):
    side = sides[layer.inputs[0]]
    maps[layer.name] = sides[layer.name] ** 2 * layer.channels * size
    precision = config.runtime.precision
    tiles = size * step_memory.winograd_values(layer, n_in, side, precision, trains=False)
    if tiles:
      cached += 36 * n_in * layer.channels * size
    workspace = tiles * (n_in + layer.channels)
    needed = sum(maps[name] for name in layer.inputs) + maps[layer.name] + workspace
    largest = max(largest, needed)
  fixed = step_memory.TENSORFLOW + memory.graph() + step_memory.FREED
  fixed += memory.variables + cached
  if num_workers > 1:
    fixed += memory.variables + memory.slots
  # The input holds the next batches, in float32.
  return fixed, largest + 3 * _FLOAT32 * 3 * net.image_size**2
