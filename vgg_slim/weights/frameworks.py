"""Runs a weight file in its own framework, which is imported only where it is needed.

The runs share no transform and no table of names with the import: Keras and onnxruntime read the
file themselves, and the torch network is built from torch's own names and layouts.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.weights import onnx_model
from vgg_slim.weights.foreign import ForeignWeights

APPLICATIONS = {'vgg_d': 'VGG16', 'vgg_e': 'VGG19', 'resnet50_keras': 'ResNet50'}
_APPLICATION_FC_UNITS = 4096


class Request(NamedTuple):
  """What to run.

  Attributes:
    path: path of the file.
    foreign: contents of the file.
    model: name of our network.
    num_classes: number of classes; None to compute the last map of the trunk instead of logits.
    image_size: side of the images in pixels, where the file does not fix it.
    fc_units: number of hidden units of the head.
    epsilon: epsilon of batch norm, for frameworks whose files do not hold it; None for a network
      without batch norm.
    images_of: function from a side in pixels to the source network's input, float32
      [1, side, side, 3].
  """

  path: str
  foreign: ForeignWeights
  model: str
  num_classes: int | None
  image_size: int
  fc_units: int
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
    model = _load_keras_model(keras, request)
  except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError) as error:
    reason = ' '.join(str(error).split())[:200]
    raise NotComparedError(f'Keras cannot load the network of the file: {reason}') from error
  side = model.input_shape[1] or request.image_size
  if request.num_classes is None:
    model = _last_map_model(keras, model)
  elif hasattr(model.layers[-1], 'activation'):
    model.layers[-1].activation = keras.activations.linear
  output = np.asarray(model(request.images_of(side), training=False))
  return SourceRun(f'Keras {keras.__version__}', side, output)


def _load_keras_model(keras: Any, request: Request) -> Any:
  if request.foreign.format == 'Keras .keras':
    return keras.models.load_model(request.path, compile=False)
  import h5py

  with h5py.File(request.path) as file:
    has_network = 'model_config' in file.attrs
  if has_network:
    return keras.models.load_model(request.path, compile=False)
  name = APPLICATIONS.get(request.model)
  if name is None or (name != 'ResNet50' and request.fc_units != _APPLICATION_FC_UNITS):
    raise NotComparedError(
      f'the file holds weights without their network, and keras.applications has no '
      f'{request.model} with fc_units={request.fc_units}'
    )
  model = getattr(keras.applications, name)(
    weights=None,
    include_top=request.num_classes is not None,
    input_shape=(request.image_size, request.image_size, 3),
    **(
      {'classes': request.num_classes, 'classifier_activation': None} if request.num_classes else {}
    ),
  )
  model.load_weights(request.path)
  return model


def _last_map_model(keras: Any, model: Any) -> Any:
  """Returns the part of `model`, or of a nested model, that ends in the last pool or sum."""
  for layer in model.layers:
    if isinstance(layer, keras.Model):
      return _last_map_model(keras, layer)
  maps = [layer for layer in model.layers if len(layer.output.shape) == 4]
  return keras.Model(model.inputs[0], maps[-1].output)


def _run_onnx(request: Request) -> SourceRun:
  try:
    import onnx
    import onnxruntime
  except ImportError as error:
    raise NotComparedError(f'{error.name} is not installed') from error
  taps = onnx_model.find_taps(request.path)
  tap = taps.logits if request.num_classes is not None else taps.trunk
  if tap is None:
    raise NotComparedError(
      'the model has no fully-connected layer that would mark the end of the trunk'
    )
  model = onnx_model.load(request.path)
  model.graph.ClearField('output')
  model.graph.output.append(onnx.helper.make_tensor_value_info(tap, onnx.TensorProto.FLOAT, None))
  side = taps.shape[2] or request.image_size
  images = request.images_of(side)
  feed = images.transpose(0, 3, 1, 2) if taps.channels_first else images
  session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=['CPUExecutionProvider']
  )
  (output,) = session.run([tap], {taps.images: np.repeat(feed, taps.shape[0] or 1, axis=0)})
  output = output[:1]
  if output.ndim == 4 and request.num_classes is None:
    output = output.transpose(0, 2, 3, 1)
  return SourceRun(
    f'onnxruntime {onnxruntime.__version__}', side, output.reshape(1, *output.shape[1:])
  )


def _run_torch(request: Request) -> SourceRun:
  try:
    import torch
  except ImportError as error:
    raise NotComparedError('torch is not installed') from error
  images = torch.from_numpy(request.images_of(request.image_size)).permute(0, 3, 1, 2)
  state = {name: torch.from_numpy(array) for name, array in request.foreign.arrays.items()}
  run = _torch_vgg if any('features.' in name for name in state) else _torch_resnet
  with torch.inference_mode():
    output = run(torch, state, images, request)
  if output.ndim == 4:
    output = output.permute(0, 2, 3, 1)
  return SourceRun(f'torch {torch.__version__}', request.image_size, output.numpy())


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
  if request.num_classes is None:
    return net
  classifier = _layers(state, r'(?:^|\.)classifier\.(\d+)')
  if not classifier:
    raise NotComparedError("the layers of the head do not have torchvision's names")
  net = net.flatten(1)
  numbers = sorted(map(int, classifier))
  for number in numbers:
    net = functional.linear(net, classifier[str(number)]['weight'], classifier[str(number)]['bias'])
    net = net if number == numbers[-1] else functional.relu(net)
  return net


def _torch_resnet(torch: Any, state: dict[str, Any], net: Any, request: Request) -> Any:
  """Runs torchvision's ResNet, with the stride in the first 3x3 of a block's first unit."""
  functional = torch.nn.functional
  layers = _layers(state, r'^(?:module\.)?(.+)')
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
  if request.num_classes is None:
    return net
  return functional.linear(net.mean((2, 3)), layers['fc']['weight'], layers['fc']['bias'])
