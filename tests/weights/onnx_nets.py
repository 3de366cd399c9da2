"""ONNX models of VGGs as exporters write them. Imported only by tests that require onnx."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from tests.weights.fabricated import CLASSES, SIDE, UNITS, random_arrays


class Builder:
  """Builds a model whose nodes form a chain."""

  def __init__(self, images):
    self.nodes, self.initializers, self.net = [], [], images

  def array(self, name, shape, out_first=True):
    values = random_arrays({name: shape}, len(self.initializers), out_first)[name]
    self.initializers.append(numpy_helper.from_array(values, name))
    return name

  def add(self, kind, *inputs, **attributes):
    output = f'{kind}_{len(self.nodes)}'
    self.nodes.append(helper.make_node(kind, [self.net, *inputs], [output], **attributes))
    self.net = output

  def shape(self, *values):
    name = f'shape_{len(self.initializers)}'
    self.initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name

  def save(self, path, image_shape):
    images = helper.make_tensor_value_info('images', TensorProto.FLOAT, image_shape)
    output = helper.make_tensor_value_info(self.net, TensorProto.FLOAT, ['N', 'K'])
    graph = helper.make_graph(self.nodes, 'g', [images], [output], self.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def save_as_torch(spec, path, epsilon=1e-3, named=True):
  """Writes a model as torch does: NCHW input, Gemm with transB, CHW flattening.

  Args:
    spec: spec of the network.
    path: path of the file to write.
    epsilon: epsilon of batch norms.
    named: whether initializers have torch's names, rather than the exporter's.
  """
  net, index, n_in = Builder('images'), 0, 3

  def name(text):
    return text if named else f'onnx::{text.replace(".", "_")}'

  for stage in spec.stages:
    for conv in stage:
      shape = (conv.channels, n_in, conv.kernel, conv.kernel)
      weight = net.array(name(f'features.{index}.weight'), shape)
      bias = net.array(name(f'features.{index}.bias'), shape[:1])
      net.add('Conv', weight, bias, pads=[conv.kernel // 2] * 4)
      if spec.batch_norm:
        parts = ('weight', 'bias', 'running_mean', 'running_var')
        norm = [net.array(f'features.{index + 1}.{part}', shape[:1]) for part in parts]
        net.add('BatchNormalization', *norm, epsilon=epsilon)
      net.add('Relu')
      index += 3 if spec.batch_norm else 2
      n_in = conv.channels
    net.add('MaxPool', kernel_shape=[2, 2], strides=[2, 2])
    index += 1
  net.add('Flatten', axis=1)
  rows = n_in * (SIDE // spec.stride) ** 2
  for i, units in ((0, UNITS), (3, UNITS), (6, CLASSES)):
    weight = net.array(name(f'classifier.{i}.weight'), (units, rows))
    net.add('Gemm', weight, net.array(name(f'classifier.{i}.bias'), (units,)), transB=1)
    if i < 6:
      net.add('Relu')
    rows = units
  net.save(path, ['N', 3, SIDE, SIDE])


def save_as_keras(spec, path, head=(UNITS, UNITS, CLASSES)):
  """Writes a model as Keras does: NHWC input, biases as Add, HWC flattening, MatMul, softmax."""
  net, n_in = Builder('images'), 3
  net.add('Transpose', perm=[0, 3, 1, 2])
  for s, stage in enumerate(spec.stages, start=1):
    for u, conv in enumerate(stage, start=1):
      layer = f'model_1/block{s}_conv{u}_1'
      shape = (conv.channels, n_in, conv.kernel, conv.kernel)
      weight = net.array(f'{layer}/convolution/ReadVariableOp:0', shape)
      net.add('Conv', weight, pads=[conv.kernel // 2] * 4)
      net.add('Add', net.array(f'{layer}/Reshape:0', (1, conv.channels, 1, 1)))
      net.add('Relu')
      n_in = conv.channels
    net.add('MaxPool', kernel_shape=[2, 2], strides=[2, 2])
  net.add('Transpose', perm=[0, 2, 3, 1])
  rows = n_in * (SIDE // spec.stride) ** 2
  net.add('Reshape', net.shape(-1, rows))
  names = ('fc1', 'fc2', 'predictions') if len(head) == 3 else [f'dense_{i}' for i in range(9)]
  for name, units in zip(names, head, strict=False):
    net.add(
      'MatMul', net.array(f'model_1/{name}/Cast/ReadVariableOp:0', (rows, units), out_first=False)
    )
    net.add('Add', net.array(f'model_1/{name}/BiasAdd/ReadVariableOp:0', (units,)))
    if units != head[-1] or name == names[0]:
      net.add('Relu')
    rows = units
  net.add('Softmax', axis=-1)
  net.save(path, ['N', SIDE, SIDE, 3])
