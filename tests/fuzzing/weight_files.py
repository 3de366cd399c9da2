"""Readers of weight files of others, up to where an import would write.

What a command does in a child process is done in the same process here, since the fuzzer itself
runs in children.
"""

import functools
import importlib.util
import io
import json
import pathlib
import random
import zipfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from tests import testing
from tests.fuzzing import containers, damage
from tests.fuzzing.execution import Reader
from vgg_slim.errors import CheckpointError, VggSlimError, reason
from vgg_slim.nets import specs
from vgg_slim.weights import child_reader, importer, isolated
from vgg_slim.weights.foreign import ForeignWeights

_MODEL = 'vgg_a'
_SIDE, _CLASSES, _UNITS = 32, 3, 6
_STRANGE_FIELDS = (0, 1, -1, 2**31 - 1, 2**62, 'x', '', '../../etc/passwd', 0.5)


class _Done(Exception):
  """The import would write now."""


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest file of every format into `folder`; returns the readers by name."""
  specs.VGG[_MODEL] = testing.thin(specs.VGG[_MODEL], 2)
  shapes = specs.get(_MODEL).parameter_shapes(_CLASSES, _SIDE, _UNITS)
  values = testing.random_values(shapes)
  in_npz = damage.either(damage.of_bytes, containers.in_zip(damage.of_bytes))
  h5 = _h5(values)
  contents: dict[str, tuple[bytes, damage.Damage]] = {
    'weights.npz': (_npz(values), in_npz),
    'weights.npy': (_npy(values), damage.of_bytes),
    'weights.h5': (h5, damage.of_bytes),
    'model.keras': (_keras(h5), in_npz),
  }
  if importlib.util.find_spec('safetensors'):
    either = damage.either(damage.of_bytes, containers.in_safetensors)
    contents['weights.safetensors'] = (_safetensors(values), either)
  if importlib.util.find_spec('onnx'):
    contents['model.onnx'] = (_onnx(values), damage.either(damage.of_bytes, _in_message))
  readers = {}
  for name, (content, how) in contents.items():
    path = folder / name
    path.write_bytes(content)
    readers[name] = Reader(path, functools.partial(_import, path), how, has_child=True)
  return readers


def _import(path: pathlib.Path) -> None:
  request = importer.ImportRequest(
    source=str(path), model=_MODEL, output=str(path.with_name('output')), input_is_unknown=True
  )
  with (
    mock.patch.object(child_reader, 'read', _read_here),
    mock.patch.object(importer, '_run_source', lambda *_: (None, 'fuzzed')),
    mock.patch.object(importer.staging, 'staged_checkpoint', side_effect=_Done),
  ):
    try:
      importer.run_import(request, _say)
    except _Done:
      return


def _say(text: str) -> None:
  if len(text) > 20_000:
    raise ValueError(f'a text of {len(text)} characters')


def _read_here(read: Callable[[str], ForeignWeights], path: str) -> ForeignWeights:
  """Does what `child_reader.read` does, errors included, but here."""
  pipe = io.BytesIO()
  try:
    isolated._send(pipe, child_reader._read_here(read, path))
  except VggSlimError:
    raise
  except Exception as error:
    raise CheckpointError(f'{path} cannot be read; {reason(error)}') from error
  pipe.seek(0)
  answer = isolated._receive(pipe)
  assert answer
  return child_reader._from_answer(answer)


def _npz(values: dict[str, np.ndarray]) -> bytes:
  buffer = io.BytesIO()
  arrays: dict[str, Any] = {f'vgg_a/{name}': value for name, value in values.items()}
  np.savez(buffer, **arrays)
  return buffer.getvalue()


def _npy(values: dict[str, np.ndarray]) -> bytes:
  layers: dict[str, list[np.ndarray]] = {}
  for name, value in values.items():
    layers.setdefault(name.split('/')[-2], []).append(value)
  buffer = io.BytesIO()
  np.save(buffer, np.array(layers, dtype=object), allow_pickle=True)
  return buffer.getvalue()


def _h5(values: dict[str, np.ndarray]) -> bytes:
  import h5py

  buffer = io.BytesIO()
  with h5py.File(buffer, 'w') as file:
    for i, layer in enumerate(dict.fromkeys(name.rpartition('/')[0] for name in values)):
      kind = 'conv2d' if 'conv' in layer else 'dense'
      group = file.create_group(f'layers/{kind}_{i}/vars')
      group.attrs['name'] = layer.rpartition('/')[2]
      group.create_dataset('0', data=values[f'{layer}/weights'], compression='gzip' if i else None)
      group.create_dataset('1', data=values[f'{layer}/biases'])
  return buffer.getvalue()


def _keras(h5: bytes) -> bytes:
  config = {'config': {'layers': [{'class_name': 'InputLayer', 'config': {'batch_shape': [1, 2]}}]}}
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    archive.writestr('config.json', json.dumps(config))
    archive.writestr('metadata.json', '{}')
    archive.writestr('model.weights.h5', h5)
  return buffer.getvalue()


def _safetensors(values: dict[str, np.ndarray]) -> bytes:
  import safetensors.numpy

  tensors = {}
  for i, layer in enumerate(dict.fromkeys(name.rpartition('/')[0] for name in values)):
    kernel = values[f'{layer}/weights'].transpose(3, 2, 0, 1)
    if is_dense := 'fc' in layer:
      kernel = kernel.reshape(len(kernel), -1)
    name = f'{"classifier" if is_dense else "features"}.{i}'
    tensors[f'{name}.weight'] = np.ascontiguousarray(kernel)
    tensors[f'{name}.bias'] = values[f'{layer}/biases']
  return safetensors.numpy.save(tensors)


def _onnx(values: dict[str, np.ndarray]) -> bytes:
  import onnx

  nodes, initializers, previous = [], [], 'x'
  for i, layer in enumerate(dict.fromkeys(name.rpartition('/')[0] for name in values)):
    kernel, bias = values[f'{layer}/weights'], values[f'{layer}/biases']
    if kernel.ndim == 4:
      kernel = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    initializers += [
      onnx.numpy_helper.from_array(kernel, f'{layer}.weight'),
      onnx.numpy_helper.from_array(bias, f'{layer}.bias'),
    ]
    kind = 'Conv' if kernel.ndim == 4 else 'Gemm'
    inputs = [previous, f'{layer}.weight', f'{layer}.bias']
    previous = f'y{i}'
    nodes.append(onnx.helper.make_node(kind, inputs, [previous]))
  image = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])
  scores = onnx.helper.make_tensor_value_info(previous, onnx.TensorProto.FLOAT, None)
  graph = onnx.helper.make_graph(nodes, 'net', [image], [scores], initializers)
  return onnx.helper.make_model(graph).SerializeToString()


def _in_message(content: bytes, draw: random.Random) -> bytes:
  """Damages one field anywhere in the message of an ONNX model."""
  import onnx

  model = onnx.ModelProto.FromString(content)
  for _ in range(draw.randint(1, 3)):
    _change_field(model, draw)
  return model.SerializeToString()


def _change_field(message: Any, draw: random.Random) -> None:
  fields = message.ListFields()
  if not fields:
    return
  field, value = draw.choice(fields)
  is_list = hasattr(value, 'append')
  if is_list and draw.random() < 0.2:
    del value[draw.randrange(len(value))]
    return
  index = draw.randrange(len(value)) if is_list and len(value) else None
  item = value[index] if index is not None else value
  if hasattr(item, 'ListFields'):
    _change_field(item, draw)
    return
  strange: Any = draw.choice(_STRANGE_FIELDS)
  try:
    strange = strange.encode() if isinstance(item, bytes) and isinstance(strange, str) else strange
    if index is None:
      setattr(message, field.name, strange)
    else:
      value[index] = strange
  except (TypeError, ValueError):
    message.ClearField(field.name)
