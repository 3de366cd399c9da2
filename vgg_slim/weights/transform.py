"""Converts foreign arrays to our variables with the transforms of `kernels`. No TensorFlow."""

import dataclasses

import numpy as np

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import IMAGES, NetSpec
from vgg_slim.nets.resnet import ResNetSpec
from vgg_slim.weights import kernels, names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot

_KERAS_EPSILON = 1e-3  # default of keras.layers.BatchNormalization, for files without a config
_TORCH_EPSILON = 1e-5  # default of torch.nn.BatchNorm2d; state dicts do not hold epsilon


@dataclasses.dataclass(frozen=True)
class InputChange:
  """Difference between the source network's input and ours.

  Attributes:
    bgr: whether its channels are in the order B, G, R instead of R, G, B.
    rgb_std: divisors of R, G and B after the mean is subtracted, or None.
  """

  bgr: bool = False
  rgb_std: tuple[float, float, float] | None = None

  def __post_init__(self):
    if self.rgb_std is not None and (len(self.rgb_std) != 3 or min(self.rgb_std) <= 0):
      raise ConfigError(f'rgb_std must be three positive numbers, got {self.rgb_std}.')

  def to_source(self, images: np.ndarray) -> np.ndarray:
    """Converts our images [N, H, W, 3] to the source network's input."""
    if self.rgb_std is not None:
      images = images / np.asarray(self.rgb_std, np.float32)
    return np.ascontiguousarray(images[..., ::-1] if self.bgr else images)

  def to_our_kernel(self, kernel: np.ndarray) -> np.ndarray:
    """Converts the source's first convolution, HWIO, to one that takes our images."""
    if self.bgr:
      kernel = kernels.swap_rgb_bgr(kernel)
    if self.rgb_std is not None:
      kernel = kernels.divide_input_channels(kernel, self.rgb_std)
    return kernel


@dataclasses.dataclass
class Converted:
  """Values of our variables and their origins.

  Attributes:
    arrays: values by name below the network's scope.
    origins: names of the foreign arrays that each value was made from.
  """

  arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  origins: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

  def put(self, name: str, array: np.ndarray, *origins: str) -> None:
    self.arrays[name] = array
    self.origins[name] = origins


def convert(
  network: Network,
  foreign: ForeignWeights,
  slots: dict[str, Slot],
  change: InputChange,
  epsilon: float | None = None,
) -> Converted:
  """Converts every array that has a slot in the network; shapes are not checked here.

  Args:
    network: identity of our network.
    foreign: contents of the file.
    slots: slots by foreign name, from `linking.link`.
    change: difference between the source network's input and ours.
    epsilon: epsilon of the source's batch norms; by default from the file or its framework.
  """
  spec = specs.get(network.model)
  converted = Converted()
  by_layer: dict[str, dict[str, str]] = {}
  for name, slot in slots.items():
    by_layer.setdefault(slot.layer, {})[slot.part] = name
  layers = spec.layers(network.num_logits, network.image_size, network.fc_units, network.head)
  for layer in (layer for layer in layers if layer.has_weights):
    parts = by_layer.get(layer.name, {})
    if 'kernel' in parts:
      kernel = _kernel(foreign, foreign.arrays[parts['kernel']], layer.kernel)
      if layer.inputs == (IMAGES,) and kernel.ndim == 4 and kernel.shape[2] == 3:
        kernel = change.to_our_kernel(kernel)
      converted.put(f'{layer.name}/weights', kernel, parts['kernel'])
    if layer.batch_norm and 'mean' in parts:
      _put_norm(converted, spec, foreign, layer.name, layer.biases, parts, epsilon)
    elif 'bias' in parts and layer.biases:
      converted.put(f'{layer.name}/biases', foreign.arrays[parts['bias']], parts['bias'])
  return converted


def _kernel(foreign: ForeignWeights, kernel: np.ndarray, side: int) -> np.ndarray:
  if kernel.ndim == 4:
    return kernels.conv_oihw_to_hwio(kernel) if foreign.channels_first else kernel
  if kernel.ndim != 2:
    return kernel
  dense = kernels.linear_to_dense(kernel) if foreign.dense_out_in else kernel
  if dense.shape[0] % side**2:
    return dense
  if foreign.flattens_channels_first:
    return kernels.dense_chw_to_conv(dense, side)
  return kernels.dense_hwc_to_conv(dense, side)


def _put_norm(
  converted: Converted,
  spec: NetSpec,
  foreign: ForeignWeights,
  layer: str,
  biases: bool,
  parts: dict[str, str],
  epsilon: float | None,
) -> None:
  """Converts a batch norm.

  The file may have a bias before it, lack its scale or shift, or use another epsilon.
  """
  arrays = {part: foreign.arrays[name] for part, name in parts.items()}
  mean, mean_origins = arrays['mean'], [parts['mean']]
  if 'bias' in parts and biases:
    converted.put(f'{layer}/biases', arrays['bias'], parts['bias'])
  elif biases:
    converted.put(f'{layer}/biases', np.zeros_like(mean))
  elif 'bias' in parts and arrays['bias'].shape == mean.shape:
    mean = kernels.fold_bias_into_mean(mean, arrays['bias'])
    mean_origins.append(parts['bias'])
  norm = names.split(parts['mean'])[0]
  source_epsilon = epsilon or foreign.epsilons.get(norm) or default_epsilon(spec, foreign)
  gamma = arrays.get('gamma', np.ones_like(mean))
  if 'variance' in parts and gamma.shape == arrays['variance'].shape:
    gamma, variance = kernels.move_epsilon(
      gamma, arrays['variance'], source_epsilon, _own_epsilon(spec)
    )
    converted.put(f'{layer}/BatchNorm/moving_variance', variance, parts['variance'])
  converted.put(f'{layer}/BatchNorm/gamma', gamma, *filter(None, [parts.get('gamma')]))
  beta = arrays.get('beta', np.zeros_like(mean))
  converted.put(f'{layer}/BatchNorm/beta', beta, *filter(None, [parts.get('beta')]))
  converted.put(f'{layer}/BatchNorm/moving_mean', mean, *mean_origins)


def default_epsilon(spec: NetSpec, foreign: ForeignWeights) -> float:
  """Returns the batch norm's epsilon to assume where the file does not hold it."""
  if foreign.framework == 'torch':
    return _TORCH_EPSILON
  if foreign.framework == 'keras' and not isinstance(spec, ResNetSpec):
    return _KERAS_EPSILON
  return _own_epsilon(spec)


def _own_epsilon(spec: NetSpec) -> float:
  if spec.batch_norm is None:
    raise ConfigError(f'{spec.name} has no batch norm.')
  return spec.batch_norm.epsilon
