"""Runs a weight file in its own framework, which is imported only where it is needed.

The runs share no transform and no table of names with the import: Keras and onnxruntime read the
file themselves, and the torch network is built from torch's own names and layouts.
"""

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.configs.net import Network
from vgg_slim.constants import FC_UNITS
from vgg_slim.errors import ConfigError, reason
from vgg_slim.nets import specs
from vgg_slim.weights import keras_net, onnx_model
from vgg_slim.weights.foreign import ForeignWeights

APPLICATIONS = {'vgg_d': 'VGG16', 'vgg_e': 'VGG19', 'resnet50_keras': 'ResNet50'}


# What Keras raises for files and networks that it cannot load.
_KERAS_ERRORS = (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError)


class Request(NamedTuple):
  """What to run.

  Attributes:
    path: path of the file.
    foreign: contents of the file.
    network: identity of our network; a trunk to compute its last map instead of logits.
    epsilon: epsilon of batch norm, for frameworks whose files do not hold it; None for a network
      without batch norm.
    images_of: function from a side in pixels to the source network's input, float32
      [1, side, side, 3].
  """

  path: str
  foreign: ForeignWeights
  network: Network
  epsilon: float | None
  images_of: Callable[[int], np.ndarray]


class SourceRun(NamedTuple):
  """The framework's output for images of `side` pixels.

  Attributes:
    framework: name and version of the framework.
    side: side of the images, in pixels.
    output: float32 logits [1, K], or the trunk's last map [1, h, w, C].
  """

  framework: str
  side: int
  output: np.ndarray


class NotComparedError(Exception):
  """The source network cannot be run here; the message gives the reason."""


def run_source(request: Request) -> SourceRun:
  """Runs the file in its own framework.

  Raises:
    NotComparedError: the file has no framework, the framework is not installed, or the file does
      not hold the network.
  """
  runs = {'keras': _run_keras, 'torch': _run_torch, 'onnx': _run_onnx}
  framework = request.foreign.framework
  if framework == 'slim':
    raise NotComparedError('the arrays are TensorFlow variables already, copied as they are')
  if framework not in runs:
    raise NotComparedError(f'no framework belongs to {request.foreign.format}')
  return runs[framework](request)


def _run_keras(request: Request) -> SourceRun:
  import keras

  try:
    # Keras warns of models whose inputs are in a list, and of weights that it does not find.
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      model = _load_keras_model(keras, request)
      side = model.input_shape[1] or request.network.image_size
      tapped = _last_map_model if request.network.is_trunk else _logits_model
      output = np.asarray(tapped(keras, model, request)(request.images_of(side), training=False))
  except (*_KERAS_ERRORS, ConfigError) as error:
    raise NotComparedError(f'Keras cannot run the network of the file: {reason(error)}') from error
  return SourceRun(f'Keras {keras.__version__}', side, output)


def _load_keras_model(keras: Any, request: Request) -> Any:
  if request.foreign.channels_first:
    raise NotComparedError('Keras no longer runs networks of Theano')
  if request.foreign.format == 'Keras .keras':
    return keras.models.load_model(request.path, compile=False)
  import h5py

  with h5py.File(request.path) as file:
    has_network = 'model_config' in file.attrs
  if has_network:
    return keras.models.load_model(request.path, compile=False)
  network = request.network
  name = APPLICATIONS.get(specs.get(network.model).name)
  is_published = (network.head, network.fc_units) == (None, FC_UNITS)
  if name is None or not is_published:
    return _build_keras_model(request)
  model = getattr(keras.applications, name)(
    weights=None,
    include_top=not network.is_trunk,
    input_shape=(network.image_size, network.image_size, 3),
    **({} if network.is_trunk else {'classes': network.num_logits, 'classifier_activation': None}),
  )
  model.load_weights(request.path)
  return model


def _build_keras_model(request: Request) -> Any:
  """Returns a model with the layers of our network and the weights of the file.

  Keras finds the weights by the structure of the model, in which the trunk may be nested.
  """
  keras_net.check(request.network)
  epsilon = next(iter(request.foreign.epsilons.values()), request.epsilon)
  model = keras_net.build(request.network, epsilon)
  try:
    model.load_weights(request.path)
  except ValueError:
    model = keras_net.build(request.network, epsilon, is_nested=True)
    model.load_weights(request.path)
  return model


def _logits_model(keras: Any, model: Any, request: Request) -> Any:
  """Returns `model` without the activation of its class scores."""
  last = model.layers[-1]
  if isinstance(last, keras.layers.Softmax):
    return keras.Model(model.inputs[0], last.input)
  if isinstance(last, keras.Model):
    _logits_model(keras, last, request)
  elif hasattr(last, 'activation'):
    last.activation = keras.activations.linear
  return model


def _last_map_model(keras: Any, model: Any, request: Request) -> Any:
  """Returns the part of `model`, or of a nested model, that ends where our trunk does."""
  layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
  if layers and isinstance(layers[0], keras.Model):
    return _last_map_model(keras, layers[0], request)
  convs = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
  wanted = _count_convolutions(request.network)
  if len(convs) < wanted:
    raise NotComparedError('the convolutions of the trunk are spread over nested models')
  end = [layer for layer in layers if len(layer.output.shape) == 4][-1]
  if len(convs) > wanted:
    behind = layers[layers.index(convs[wanted - 1]) :]
    pools = [layer for layer in behind if isinstance(layer, keras.layers.MaxPooling2D)]
    if not pools:
      raise NotComparedError('no pool marks the end of the trunk within the larger network')
    end = pools[0]
  return keras.Model(model.inputs[0], end.output)


def _count_convolutions(network: Network) -> int:
  return sum(layer.kind == 'conv' for layer in specs.get(network.model).trunk_layers())


def _run_onnx(request: Request) -> SourceRun:
  try:
    import onnx
    import onnxruntime
  except ImportError as error:
    raise NotComparedError(f'{error.name} is not installed') from error
  taps = onnx_model.find_taps(request.path)
  tap = taps.logits if not request.network.is_trunk else taps.trunk
  if tap is None:
    raise NotComparedError(
      'the model has no fully-connected layer that would mark the end of the trunk'
    )
  model = onnx_model.load(request.path)
  model.graph.ClearField('output')
  model.graph.output.append(onnx.helper.make_tensor_value_info(tap, onnx.TensorProto.FLOAT, None))
  side = taps.shape[2] or request.network.image_size
  images = request.images_of(side)
  feed = images.transpose(0, 3, 1, 2) if taps.channels_first else images
  session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=['CPUExecutionProvider']
  )
  (output,) = session.run([tap], {taps.images: np.repeat(feed, taps.shape[0] or 1, axis=0)})
  output = output[:1]
  if output.ndim == 4 and request.network.is_trunk:
    output = output.transpose(0, 2, 3, 1)
  return SourceRun(
    f'onnxruntime {onnxruntime.__version__}', side, output.reshape(1, *output.shape[1:])
  )


def _run_torch(request: Request) -> SourceRun:
  try:
    import torch
  except ImportError as error:
    raise NotComparedError('torch is not installed') from error
  images = torch.from_numpy(request.images_of(request.network.image_size)).permute(0, 3, 1, 2)
  state = {name: torch.from_numpy(array) for name, array in request.foreign.arrays.items()}
  run = _torch_vgg if any('features.' in name for name in state) else _torch_resnet
  with torch.inference_mode():
    output = run(torch, state, images, request)
  if output.ndim == 4:
    output = output.permute(0, 2, 3, 1)
  return SourceRun(f'torch {torch.__version__}', request.network.image_size, output.numpy())


def _layers(state: dict[str, Any], pattern: str) -> dict[Any, dict[str, Any]]:
  """Groups a state dict by the part of its names that the group of `pattern` matches."""
  layers: dict[Any, dict[str, Any]] = {}
  for name, tensor in state.items():
    match = re.search(pattern + r'\.(\w+)$', name)
    if match:
      layers.setdefault(match[1], {})[match[2]] = tensor
  return layers


def _norm(torch: Any, net: Any, norm: dict[str, Any], epsilon: float | None) -> Any:
  return torch.nn.functional.batch_norm(
    net, norm['running_mean'], norm['running_var'], norm['weight'], norm['bias'], eps=epsilon
  )


def _torch_vgg(torch: Any, state: dict[str, Any], net: Any, request: Request) -> Any:
  """Runs torchvision's VGG: a gap in the numbers of `features` is a ReLU, two a ReLU and a pool."""
  functional = torch.nn.functional
  features = _layers(state, r'(?:^|\.)features\.(\d+)')
  numbers = sorted(map(int, features))
  convolutions = sum('running_mean' not in layer for layer in features.values())
  if convolutions != _count_convolutions(request.network):
    raise NotComparedError('the trunk is part of a larger network')
  for number, following in zip(numbers, [*numbers[1:], None], strict=True):
    layer = features[str(number)]
    if 'running_mean' in layer:
      net = _norm(torch, net, layer, request.epsilon)
    else:
      padding = layer['weight'].shape[-1] // 2
      net = functional.conv2d(net, layer['weight'], layer.get('bias'), padding=padding)
    if following is None or following > number + 1:
      net = functional.relu(net)
    if following is None or following > number + 2:
      net = functional.max_pool2d(net, 2)
  if request.network.is_trunk:
    return net
  if any('running_mean' in layer for layer in _layers(state, r'^((?!.*features\.).+)').values()):
    raise NotComparedError('a state dict does not tell where the batch norms of the head are')
  return _torch_head(torch, state, net)


def _torch_head(torch: Any, state: dict[str, Any], net: Any) -> Any:
  """Applies the matrices of the file to the last map, with a ReLU between them.

  The first one reads the whole map or, with one input per channel, its average. Each further one
  reads the outputs of the one before.
  """
  matrices = {name: tensor for name, tensor in state.items() if tensor.ndim == 2}
  whole = net.flatten(1)
  is_average = all(matrix.shape[1] != whole.shape[1] for matrix in matrices.values())
  net = net.mean((2, 3)) if is_average else whole
  first = True
  while matrices:
    name = next((n for n, matrix in matrices.items() if matrix.shape[1] == net.shape[1]), None)
    bias = state.get(f'{name.removesuffix("weight")}bias') if name else None
    if name is None or bias is None:
      raise NotComparedError('the head is not a sequence of fully-connected layers')
    net = net if first else torch.nn.functional.relu(net)
    net = torch.nn.functional.linear(net, matrices.pop(name), bias)
    first = False
  return net


def _torch_resnet(torch: Any, state: dict[str, Any], net: Any, request: Request) -> Any:
  """Runs torchvision's ResNet, with the stride in the first 3x3 of a block's first unit."""
  functional = torch.nn.functional
  layers = _layers(state, '^(.+)')
  if 'layer1.0.conv1' not in layers:
    raise NotComparedError("the names are not those of torchvision's VGG or ResNet")

  def conv_norm(net: Any, conv: str, norm: str, stride: int = 1) -> Any:
    weight = layers[conv]['weight']
    net = functional.conv2d(net, weight, stride=stride, padding=weight.shape[-1] // 2)
    return _norm(torch, net, layers[norm], request.epsilon)

  net = functional.relu(conv_norm(net, 'conv1', 'bn1', stride=2))
  net = functional.max_pool2d(net, 3, stride=2, padding=1)
  for scope in dict.fromkeys(
    n.rpartition('.')[0] for n in layers if re.fullmatch(r'layer\d\.\d+\.conv1', n)
  ):
    stride = 2 if scope.endswith('.0') and not scope.startswith('layer1') else 1
    shortcut = net
    if f'{scope}.downsample.0' in layers:
      shortcut = conv_norm(net, f'{scope}.downsample.0', f'{scope}.downsample.1', stride)
    if f'{scope}.conv3' in layers:
      net = functional.relu(conv_norm(net, f'{scope}.conv1', f'{scope}.bn1'))
      net = functional.relu(conv_norm(net, f'{scope}.conv2', f'{scope}.bn2', stride))
      net = functional.relu(conv_norm(net, f'{scope}.conv3', f'{scope}.bn3') + shortcut)
    else:
      net = functional.relu(conv_norm(net, f'{scope}.conv1', f'{scope}.bn1', stride))
      net = functional.relu(conv_norm(net, f'{scope}.conv2', f'{scope}.bn2') + shortcut)
  if request.network.is_trunk:
    return net
  return _torch_head(torch, state, net)
