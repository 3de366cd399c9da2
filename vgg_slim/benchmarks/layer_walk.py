"""One loop over a network's layer list, for the frameworks that ours is compared with."""

from collections.abc import Callable, Sequence
from typing import Any

from vgg_slim.benchmarks.systems import NotMeasuredError
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.net_spec import IMAGES, Layer, with_input_channels

# What every system trains with; the values do not change the time a step takes.
DROPOUT_RATE = 0.5
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

Kinds = dict[str, Callable[..., Any]]


def walk(layers: Sequence[Layer], images: Any, kinds: Kinds) -> Any:
  """Calls `kinds[layer.kind](layer, *inputs)` for each layer; returns what the last one gave."""
  values = {IMAGES: images}
  for layer in layers:
    values[layer.name] = kinds[layer.kind](layer, *(values[name] for name in layer.inputs))
  return values[layer.name]


def layers_of(workload: Workload, kinds: Kinds) -> tuple[Layer, ...]:
  """Every layer of the workload's network, in order.

  Raises:
    NotMeasuredError: a layer of a kind that `kinds` lacks.
  """
  layers = workload.layers()
  lacking = sorted({layer.kind for layer in layers} - set(kinds))
  if lacking:
    raise NotMeasuredError(
      f'{workload.model} has {", ".join(lacking)}, which is not written for it'
    )
  return layers


def input_channels(layers: Sequence[Layer]) -> dict[str, int]:
  """Channels of every layer's (first) input by the layer's name."""
  return {layer.name: n_in for layer, n_in in with_input_channels(layers)}
