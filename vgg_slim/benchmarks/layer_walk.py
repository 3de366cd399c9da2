"""A loop over a network's list of layers, shared by the peer frameworks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vgg_slim.benchmarks.systems import NotMeasuredError
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.net_spec import IMAGES, Layer, with_input_channels

# Hyperparameters of the peers; their values do not affect the time of a step.
DROPOUT_RATE = 0.5
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

Kinds = Mapping[str, Callable[..., Any]]


def walk(layers: Sequence[Layer], images: Any, kinds: Kinds) -> Any:
  """Calls `kinds[layer.kind](layer, *inputs)` for each layer; returns the last layer's result."""
  values = {IMAGES: images}
  for layer in layers:
    values[layer.name] = kinds[layer.kind](layer, *(values[name] for name in layer.inputs))
  return values[layer.name]


def layers_of(workload: Workload, kinds: Kinds) -> tuple[Layer, ...]:
  """Every layer of the workload's network, in order.

  Raises:
    NotMeasuredError: a layer has a kind that `kinds` lacks.
  """
  layers = workload.layers()
  missing = sorted({layer.kind for layer in layers} - set(kinds))
  if missing:
    raise NotMeasuredError(
      f'{workload.model} has layers of kind {", ".join(missing)}, which it does not implement'
    )
  return layers


def input_channels(layers: Sequence[Layer]) -> dict[str, int]:
  """Number of channels of each layer's (first) input, by layer name."""
  return {layer.name: n_in for layer, n_in in with_input_channels(layers)}
