"""Reads and writes Keras files without Keras or TensorFlow.

Knows `.weights.h5` and `.keras` of Keras 3, `.h5` of all versions, and the first VGG16 for Keras
with numbered layers. Layers have their Keras names, and arrays are called `LAYER/kernel`,
`LAYER/bias`, `LAYER/gamma`, ...; those of layers that are not convolutions, dense layers or batch
norms are called `LAYER/0`, `LAYER/1`, ...
"""

import io
import itertools
import json
import pathlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import hdf5_links
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable

EPSILON_ATTRIBUTE = 'vgg_slim_batch_norm_epsilon'  # of the root group; Keras ignores it

# Layers of a model that change its pixels.
_PIXEL_LAYERS = ('Rescaling', 'Normalization', 'Lambda')
_BATCH_NORM_PARTS = ('gamma', 'beta', 'moving_mean', 'moving_variance')


class KerasLayer(NamedTuple):
  """A layer with weights.

  Attributes:
    class_name: Keras's class in snake case: 'conv2d', 'dense' or 'batch_normalization'.
    name: name of the layer.
    arrays: kernel and bias, or gamma, beta, moving mean and moving variance, in Keras's order.
  """

  class_name: str
  name: str
  arrays: tuple[np.ndarray, ...]


def read(path: str) -> ForeignWeights:
  """Reads an HDF5 file or a `.keras` archive.

  Raises:
    CheckpointError: the file is truncated, damaged or not a Keras file.
  """
  try:
    if zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read('config.json'))
        # Unpacked to memory, because HDF5 seeks often and that is slow in a compressed member.
        return _read_hdf5(path, io.BytesIO(archive.read('model.weights.h5')), config)
    return _read_hdf5(path, path, {})
  except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
    if isinstance(error, CheckpointError):
      raise
    raise unreadable(path, 'a Keras file', error) from error


def _read_hdf5(path: str, source: str | BinaryIO, config: dict[str, Any]) -> ForeignWeights:
  import h5py

  with h5py.File(source, 'r') as file:
    hdf5_links.check_is_self_contained(path, file)
    hdf5_links.read_completely(file)
    if 'nb_layers' in file.attrs:
      return _read_numbered_params(path, file)
    root = file.get('model_weights', file)
    config = config or json.loads(file.attrs.get('model_config', '{}'))
    norms = {
      settings['name']: settings
      for kind, settings in _layers(config)
      if kind == 'BatchNormalization'
    }
    epsilons = {name: norm.get('epsilon', 1e-3) for name, norm in norms.items()}
    if _text_list(root, 'layer_names') is not None:
      kind, layers = '.h5', list(_legacy_layers(path, root))
    else:
      kind, layers = '.weights.h5', list(_numbered_layers(root))
    skipped = [f'{name}/*' for name in ('optimizer', 'optimizer_weights') if name in file]
    if EPSILON_ATTRIBUTE in file.attrs:
      epsilons = {name: float(file.attrs[EPSILON_ATTRIBUTE]) for name, _ in layers}
  arrays = {}
  for layer, values in layers:
    parts = _parts(values, norms.get(layer, {}))
    for part, value in zip(parts, values, strict=True):
      arrays[f'{layer}/{part}'] = value
  if not arrays:
    raise CheckpointError(f'{path} is an HDF5 file without weights of Keras layers.')
  return ForeignWeights(
    format='Keras .keras' if isinstance(source, io.BytesIO) else f'Keras {kind}',
    framework='keras',
    arrays=as_float32(path, arrays),
    skipped=tuple(skipped),
    in_order=True,
    epsilons=epsilons,
    input_note=_input_note(config),
    image_size=_image_size(config),
    activation=_last_activation(config),
  )


def _read_numbered_params(path: str, file: Any) -> ForeignWeights:
  """Reads `layer_K/param_P`, as the VGG16 of 2016 has it, which was made for Keras on Theano.

  Theano's convolution mirrors its kernels. They are stored as [out, in, kh, kw], and the dense
  kernels read maps that are flattened channel by channel.
  """
  arrays = {}
  for number in range(int(file.attrs['nb_layers'])):
    params = file[f'layer_{number}']
    for part, name in zip(('kernel', 'bias'), sorted(params, key=_natural), strict=False):
      array = params[name][()]
      arrays[f'layer_{number}/{part}'] = array[..., ::-1, ::-1] if array.ndim == 4 else array
  return ForeignWeights(
    format='Keras .h5 with numbered layers',
    framework='keras',
    arrays=as_float32(path, arrays),
    channels_first=True,
    flattens_channels_first=True,
    in_order=True,
    input_note='input: the VGG16 of 2016 with numbered layers takes B, G, R; give --bgr for it.',
  )


def _numbered_layers(root: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
  """Yields the layers of Keras 3: groups `.../CLASS_N/vars`, named by their attribute `name`."""
  groups = {}

  def visit(path: str, item: Any) -> None:
    if path.rpartition('/')[2] == 'vars' and len(item) and not is_bookkeeping(path):
      groups[path.rpartition('/')[0]] = item

  root.visititems(visit)
  used = set()
  # The numbers (conv2d, conv2d_1, ..., conv2d_10) give the order of layers, which HDF5 loses.
  for path in sorted(groups, key=_natural):
    name = groups[path].attrs.get('name', path.rpartition('/')[2])
    name = path if name in used else name
    used.add(name)
    yield name, [groups[path][key][()] for key in sorted(groups[path], key=int)]


def _legacy_layers(path: str, root: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
  """Yields the layers of Keras 1 and 2 and of Keras 3's `.h5`, including those of nested models."""
  if _text(root.attrs.get('backend', '')) == 'theano':
    raise CheckpointError(
      f'{path} was written by Keras on Theano, whose kernels are flipped; expected the file for '
      'TensorFlow ("tf_dim_ordering_tf_kernels").'
    )
  for group in _text_list(root, 'layer_names') or []:
    weights = _text_list(root[group], 'weight_names') or []
    layers = [name.split('/')[-2] if '/' in name else group for name in weights]
    if len(set(layers)) == 1:
      layers = [group] * len(weights)
    for layer in dict.fromkeys(layers):
      names = [name for name, owner in zip(weights, layers, strict=True) if owner == layer]
      yield layer, [root[group][name][()] for name in names]


def _parts(arrays: list[np.ndarray], norm: dict[str, Any]) -> list[str]:
  """Names a layer's arrays by their ranks, because Keras stores them by number only.

  Args:
    arrays: arrays of the layer, in Keras's order.
    norm: settings of the batch norm, which may lack gamma or beta; empty where they are unknown.
  """
  ranks = [array.ndim for array in arrays]
  if ranks in ([4], [2], [4, 1], [2, 1]):
    return ['kernel', 'bias'][: len(arrays)]
  used = (norm.get('scale', True), norm.get('center', True), True, True)
  if ranks == [1] * sum(used):
    return list(itertools.compress(_BATCH_NORM_PARTS, used))
  return [str(i) for i in range(len(arrays))]


def _layers(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
  """Yields (class name, settings) of every layer in a model's nested config, in its order."""
  if isinstance(config, dict):
    settings = config.get('config')
    if isinstance(config.get('class_name'), str) and isinstance(settings, dict):
      yield config['class_name'], settings
    config = list(config.values())
  if isinstance(config, list):
    for value in config:
      yield from _layers(value)


def _last_activation(config: Any) -> str:
  """Returns the name of the activation of the model's last dense layer; '' if it is not known."""
  activation: Any = ''
  for kind, settings in _layers(config):
    if kind == 'Dense':
      activation = settings.get('activation')
    elif kind in ('Activation', 'Softmax'):
      activation = settings.get('activation', 'softmax')
  return activation if isinstance(activation, str) else ''


def _input_note(config: Any) -> str:
  """Returns a line about layers that change the pixels inside the model, which are not imported."""
  kinds = dict.fromkeys(kind for kind, _ in _layers(config) if kind in _PIXEL_LAYERS)
  if not kinds:
    return ''
  return (
    f'input: the model changes the pixels itself, by {" and ".join(kinds)}; that is not imported: '
    'give --rgb_mean and --pixel_scale instead'
  )


def _image_size(config: Any) -> int | None:
  """Returns the side of the images that the model was built for, if they are square RGB images."""
  for shape in _input_shapes(config):
    if len(shape) == 4 and shape[3] == 3 and shape[1] == shape[2]:
      return shape[1]
  return None


def _input_shapes(config: Any) -> Iterator[list[int | None]]:
  """Yields the shapes of inputs in a model's nested config, that of the outermost model first."""
  if isinstance(config, dict):
    for key in ('batch_shape', 'batch_input_shape'):
      if isinstance(config.get(key), list):
        yield config[key]
    config = list(config.values())
  if isinstance(config, list):
    for value in config:
      yield from _input_shapes(value)


def _natural(path: str) -> list[tuple[str, int]]:
  """Sort key that puts conv2d first and conv2d_10 after conv2d_9."""
  keys = []
  for component in path.split('/'):
    word, _, number = component.rpartition('_')
    keys.append((word, int(number)) if re.fullmatch(r'\d+', number) else (component, 0))
  return keys


def _text(value: Any) -> str:
  return value.decode() if isinstance(value, bytes) else str(value)


def _text_list(group: Any, attribute: str) -> list[str] | None:
  """Reads a list of strings, which may be split into numbered chunks (HDF5 limits attributes)."""
  if attribute in group.attrs:
    return [_text(value) for value in group.attrs[attribute]]
  chunks: list[Any] = []
  while f'{attribute}{len(chunks)}' in group.attrs:
    chunks.append(group.attrs[f'{attribute}{len(chunks)}'])
  return [_text(value) for chunk in chunks for value in chunk] if chunks else None


def write_weights(path: str, layers: list[KerasLayer], epsilon: float | None) -> None:
  """Writes a `.weights.h5` file for `Model.load_weights` of Keras 3.

  Args:
    path: path of the file; Keras requires the suffix .weights.h5.
    layers: layers with weights in the order of `Model.layers`, by which Keras identifies them.
    epsilon: epsilon of all batch norms, for `read`; Keras uses that of its own layers.
  """
  import h5py

  used: dict[str, int] = {}
  # In memory, since the library crashes the process when the disk is full.
  buffer = io.BytesIO()
  with h5py.File(buffer, 'w') as file:
    if epsilon is not None:
      file.attrs[EPSILON_ATTRIBUTE] = epsilon
    for class_name, name, arrays in layers:
      count = used.get(class_name, 0)
      used[class_name] = count + 1
      number = f'_{count}' if count else ''
      group = file.create_group(f'layers/{class_name}{number}/vars')
      group.attrs['name'] = name
      for i, array in enumerate(arrays):
        group.create_dataset(str(i), data=array)
  pathlib.Path(path).write_bytes(buffer.getbuffer())
