"""Reads the weights of ONNX models by walking the graph. No TensorFlow.

Exporters choose the names of initializers freely, so arrays are named after the node that reads
them: `LAYER/kernel`, `LAYER/bias`, `LAYER/gamma`, ... LAYER is the name in the original framework
if the initializer's name contains it, and otherwise, for example, `Conv_3` for the fourth
convolution.
"""

from typing import Any, NamedTuple

import numpy as np

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import kernels
from vgg_slim.weights.foreign import ForeignWeights, as_float32, unreadable

# Names of TensorFlow operations, which exporters append to a layer's name.
_OPERATIONS = (
  'convolution',
  'Conv2D',
  'MatMul',
  'Cast',
  'BiasAdd',
  'ReadVariableOp',
  'FusedBatchNormV3',
)

# Nodes that keep the order of a flattened map.
_TRANSPARENT = ('Reshape', 'Flatten', 'Squeeze', 'Dropout', 'Identity', 'Cast')


class Taps(NamedTuple):
  """Tensors at which the model can be compared with ours.

  Attributes:
    images: name of the input.
    shape: shape of the input; None for a free axis.
    channels_first: whether the input is [N, C, H, W].
    logits: name of the class scores, before a softmax at the end of the model.
    trunk: name of the map that the first fully-connected layer flattens, NCHW; None if the model
      has no such layer.
  """

  images: str
  shape: tuple[int | None, ...]
  channels_first: bool
  logits: str
  trunk: str | None


def load(path: str) -> Any:
  """Returns the `onnx.ModelProto` of `path`.

  Raises:
    CheckpointError: the file is truncated, damaged or not an ONNX model, or onnx is not installed.
  """
  try:
    import onnx
    from google.protobuf.message import DecodeError
  except ImportError as error:
    raise CheckpointError(
      f'{path} needs the package onnx, which is not installed: pip install onnx'
    ) from error
  try:
    model = onnx.load(path)
  except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
    raise unreadable(path, 'an ONNX model', error) from error
  if not model.graph.node:
    raise CheckpointError(
      f'{path} cannot be read as an ONNX model: it has no nodes; is the file complete?'
    )
  return model


def read(path: str) -> ForeignWeights:
  """Reads the weights of all convolutions, fully-connected layers and batch norms, and the rest.

  Raises:
    CheckpointError: see `load`.
  """
  model = load(path)
  walk = _Walk(model)
  for node in walk.nodes:
    walk.read_node(node)
  arrays = {**walk.arrays, **walk.unused()}
  return ForeignWeights(
    format='ONNX',
    framework='onnx',
    arrays=as_float32(path, arrays),
    channels_first=True,
    flattens_channels_first=not walk.flattens_channels_last(),
    in_order=True,
    epsilons=walk.epsilons,
    image_size=_image_size(model),
  )


class _Walk:
  """One pass over the nodes, which ONNX stores in the order of computation."""

  def __init__(self, model: Any):
    import onnx

    graph = model.graph
    self.graph = graph
    self.nodes = list(graph.node)
    self.arrays: dict[str, np.ndarray] = {}
    self.epsilons: dict[str, float] = {}
    self._constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    for node in self.nodes:
      for attribute in node.attribute:
        if node.op_type == 'Constant' and attribute.name == 'value':
          self._constants[node.output[0]] = onnx.numpy_helper.to_array(attribute.t)
      if node.op_type == 'Identity' and node.input[0] in self._constants:
        self._constants[node.output[0]] = self._constants[node.input[0]]
    self.producer = {output: node for node in self.nodes for output in node.output}
    self._readers: dict[str, list[Any]] = {}
    for node in self.nodes:
      for name in node.input:
        self._readers.setdefault(name, []).append(node)
    self._used: set[str] = set()
    self._counts: dict[str, int] = {}

  def read_node(self, node: Any) -> None:
    """Collects the arrays of `node` if it has weights."""
    constants = [name if name in self._constants else '' for name in node.input]
    if node.op_type == 'BatchNormalization' and all(constants[1:5]):
      layer = self._layer_name(node, constants[1])
      self.epsilons[layer] = _attribute(node, 'epsilon', 1e-5)
      for part, name in zip(
        ('gamma', 'beta', 'moving_mean', 'moving_variance'), constants[1:5], strict=True
      ):
        self._take(layer, part, name)
    elif node.op_type in ('Conv', 'Gemm', 'MatMul') and len(constants) > 1 and constants[1]:
      layer = self._layer_name(node, constants[1])
      bias = constants[2] if len(constants) > 2 and constants[2] else self._added(node)
      self._take(layer, 'kernel', constants[1])
      if node.op_type == 'Gemm' and _attribute(node, 'transB', 0):
        key = f'{layer}/kernel'
        self.arrays[key] = kernels.linear_to_dense(self.arrays[key])
      if bias:
        self._take(layer, 'bias', bias)
        self.arrays[f'{layer}/bias'] = self.arrays[f'{layer}/bias'].ravel()

  def unused(self) -> dict[str, np.ndarray]:
    """Returns the floating-point initializers that `read_node` has not collected."""
    return {
      i.name: self._constants[i.name]
      for i in self.graph.initializer
      if i.name not in self._used
      and self._constants[i.name].ndim
      and np.issubdtype(self._constants[i.name].dtype, np.floating)
    }

  def flattened_map(self) -> tuple[str | None, bool]:
    """Returns the map that the first fully-connected layer reads, and whether it is NHWC there."""
    dense = next((n for n in self.nodes if n.op_type in ('Gemm', 'MatMul')), None)
    name = dense.input[0] if dense else None
    channels_last = False
    while name in self.producer:
      node = self.producer[name]
      if node.op_type == 'Transpose':
        channels_last = list(_attribute(node, 'perm', ())) == [0, 2, 3, 1]
      elif node.op_type not in _TRANSPARENT:
        break
      name = node.input[0]
    return name, channels_last

  def flattens_channels_last(self) -> bool:
    return self.flattened_map()[1]

  def _added(self, node: Any) -> str | None:
    """Returns the name of the constant vector that an `Add` adds to the output of `node`."""
    readers = self._readers.get(node.output[0], [])
    if len(readers) != 1 or readers[0].op_type != 'Add':
      return None
    for name in readers[0].input:
      constant = self._constants.get(name)
      if constant is not None and constant.size == max(constant.shape, default=0):
        return name
    return None

  def _take(self, layer: str, part: str, name: str) -> None:
    self._used.add(name)
    self.arrays[f'{layer}/{part}'] = self._constants[name]

  def _layer_name(self, node: Any, kernel: str) -> str:
    count = self._counts.get(node.op_type, 0)
    self._counts[node.op_type] = count + 1
    layer = f'{node.op_type}_{count}'
    if kernel.endswith('.weight'):
      layer = kernel.removesuffix('.weight')
    elif '/' in kernel:
      parts = kernel.split(':')[0].split('/')
      while len(parts) > 1 and parts[-1] in _OPERATIONS:
        parts.pop()
      layer = parts[-1]
    return layer if f'{layer}/kernel' not in self.arrays else f'{layer}/{node.op_type}_{count}'


def find_taps(path: str) -> Taps:
  """Finds the tensors at which the model can be compared with ours.

  Raises:
    CheckpointError: see `load`; or the input of the model is not one batch of images.
  """
  model = load(path)
  walk = _Walk(model)
  constants = {i.name for i in model.graph.initializer}
  inputs = [i for i in model.graph.input if i.name not in constants]
  shape = tuple(d.dim_value or None for d in inputs[0].type.tensor_type.shape.dim)
  if len(inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]):
    raise CheckpointError(f'{path}: expected one input of RGB images, got {list(shape)}.')
  logits = model.graph.output[0].name
  while logits in walk.producer and walk.producer[logits].op_type in ('Softmax', 'Identity'):
    logits = walk.producer[logits].input[0]
  return Taps(inputs[0].name, shape, shape[1] == 3, logits, walk.flattened_map()[0])


def _image_size(model: Any) -> int | None:
  """Returns the side of the images that the model takes, if they are square and it is fixed."""
  constants = {i.name for i in model.graph.initializer}
  inputs = [i for i in model.graph.input if i.name not in constants]
  shape = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim] if inputs else []
  sides = shape[2:] if shape[1:2] == [3] else shape[1:3]
  return sides[0] if len(shape) == 4 and sides[0] == sides[1] and sides[0] else None


def _attribute(node: Any, name: str, default: Any) -> Any:
  import onnx

  for attribute in node.attribute:
    if attribute.name == name:
      return onnx.helper.get_attribute_value(attribute)
  return default
