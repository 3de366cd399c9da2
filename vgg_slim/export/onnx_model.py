"""Exports to ONNX with tf2onnx (the extra `onnx`)."""

import pathlib
from typing import Any

import numpy as np

from vgg_slim.checkpoints.contract import ONNX_FILE, Contract, to_json
from vgg_slim.errors import ConfigError
from vgg_slim.export import frozen
from vgg_slim.export.serving_graph import IMAGES, list_outputs

OPSET = 17  # of ONNX 1.12 (2022), which all current runtimes support
CONTRACT_KEY = 'vgg_slim_contract'
AXES = ('batch', 'height', 'width')
OUTPUT_AXES = ('batch', 'map_height', 'map_width')


def check_installed() -> None:
  """Raises ConfigError that names all missing packages."""
  missing = []
  for name in ('onnx', 'onnxruntime', 'tf2onnx'):
    try:
      __import__(name)
    except ImportError:
      missing.append(name)
  if missing:
    raise ConfigError(
      f'--format=onnx needs {", ".join(missing)}, not installed: pip install {" ".join(missing)}'
    )


def write(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """Writes ONNX_FILE: input `images`, float32 [batch, height, width, 3], RGB, 0..255, of any size.

  The contract is stored in the model's metadata under the key CONTRACT_KEY.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    ConfigError: onnx, onnxruntime or tf2onnx is not installed, or the weights are too large.
  """
  check_installed()
  import tf2onnx

  names = [IMAGES, *list_outputs(contract)]
  with frozen.open_skeleton(prefix, contract) as skeleton:
    model, _ = tf2onnx.convert.from_graph_def(
      skeleton.graph_def,
      input_names=[f'{name}:0' for name in (IMAGES, *skeleton.kernels)],
      output_names=[f'{name}:0' for name in names[1:]],
      opset=OPSET,
      tensors_to_rename={f'{name}:0': name for name in names},
    )
    for name, read in skeleton.kernels.items():
      _add_kernel(model.graph, f'{name}:0', read())
  _name_axes(model)
  model.metadata_props.add(key=CONTRACT_KEY, value=to_json(contract))
  (folder / ONNX_FILE).write_bytes(model.SerializeToString())


def _add_kernel(graph: Any, name: str, value: np.ndarray) -> None:  # an onnx.GraphProto
  """Makes an input a constant, in the forms to which the graph transposes and reshapes it.

  The converter never sees the kernels: it copies its graph before each of a dozen optimizations, in
  several rounds.
  """
  (given,) = (each for each in graph.input if each.name == name)
  graph.input.remove(given)
  _place(graph, name, value)


def _place(graph: Any, name: str, value: np.ndarray) -> None:
  from onnx import TensorProto, helper, numpy_helper

  for node in [node for node in graph.node if name in node.input]:
    if node.op_type == 'Transpose':
      (order,) = (helper.get_attribute_value(a) for a in node.attribute if a.name == 'perm')
      graph.node.remove(node)
      _place(graph, node.output[0], value.transpose(order))
    elif node.op_type == 'Reshape':
      (shape,) = (tensor for tensor in graph.initializer if tensor.name == node.input[1])
      graph.node.remove(node)
      _place(graph, node.output[0], value.reshape(numpy_helper.to_array(shape)))
      if not any(shape.name in other.input for other in graph.node):
        graph.initializer.remove(shape)
  if any(name in node.input for node in graph.node):
    tensor = graph.initializer.add()
    tensor.name, tensor.data_type = name, TensorProto.FLOAT
    tensor.dims.extend(value.shape)
    tensor.raw_data = value.tobytes()


def _name_axes(model: Any) -> None:  # an onnx.ModelProto
  """Names the free axes of input and outputs, which the converter only numbers."""
  for tensor in (*model.graph.input, *model.graph.output):
    axes = AXES if tensor.name == IMAGES else OUTPUT_AXES
    for dimension, name in zip(tensor.type.tensor_type.shape.dim, axes, strict=False):
      if not dimension.HasField('dim_value'):
        dimension.dim_param = name
  # Shapes within the graph would still refer to the converter's numbers.
  del model.graph.value_info[:]
