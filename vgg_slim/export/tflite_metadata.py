"""Metadata of a TensorFlow Lite file: names, order of outputs, and packed files.

The metadata follow `metadata_schema.fbs` of TensorFlow Lite, so that the Task Library, ML Binding
and `tflite_support` can read them. The packed files are a zip archive appended to the model, which
any unzip program can list.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import flatbuffers

from vgg_slim.checkpoints.contract import EXPORTED_FILE, Contract, to_json
from vgg_slim.compat import load_tflite_schema
from vgg_slim.data.labels import LABELS_FILE

SIGNATURE = 'serving_default'
_MODEL_IDENTIFIER = b'TFL3'
_METADATA_IDENTIFIER = b'M001'
_METADATA_NAME = b'TFLITE_METADATA'  # name by which readers find the buffer
_MIN_PARSER_VERSION = '1.0.0'
# Fields of the tables in metadata_schema.fbs, in the order of the schema, and values of its enums.
_MODEL = (
  'name', 'description', 'version', 'subgraphs', 'author', 'license', 'files', 'parser_version'
)  # fmt: skip
_SUBGRAPH = (
  'name', 'description', 'inputs', 'outputs', 'files', 'input_units', 'output_units',
  'input_groups', 'output_groups', 'custom',
)  # fmt: skip
_TENSOR = ('name', 'description', 'dimensions', 'content', 'units', 'stats', 'files')
_FILE = ('name', 'description', 'type', 'locale', 'version')
_CONTENT = ('properties_type', 'properties', 'range')
_IMAGE = ('color_space', 'default_size')
_UNIT = ('options_type', 'options')
_NORMALIZATION = ('mean', 'std')
_STATS = ('max', 'min')
_TENSOR_AXIS_LABELS = 2
_RGB = 1
_NORMALIZATION_OPTIONS = 1
_IMAGE_PROPERTIES = 2

_DESCRIPTIONS = {
  'probabilities': 'Probability of each class.',
  'logits': 'Score of each class before softmax.',
  'class_score_map': 'Score of each class at each position, before softmax.',
  'features': 'Last feature map of the trunk.',
}


def describe_model(model: bytes, contract: Contract, inputs: str, outputs: Sequence[str]) -> bytes:
  """Returns `model` with plain tensor names, outputs in the given order, metadata and labels.

  Args:
    model: a converted model whose signature `serving_default` names its input and outputs.
    contract: contract of the checkpoint.
    inputs: name of the input.
    outputs: names of all outputs; scripts that expect a single output read the first one.
  """
  schema = load_tflite_schema()
  parsed = schema.ModelT.InitFromPackedBuf(model, 0)
  (graph,), (signature,) = parsed.subgraphs, parsed.signatureDefs
  (images,) = signature.inputs
  by_name = {output.name.decode(): output for output in signature.outputs}
  for name, tensor in {inputs: images, **by_name}.items():
    graph.tensors[tensor.tensorIndex].name = name
  signature.outputs = [by_name[name] for name in outputs]
  graph.outputs = [output.tensorIndex for output in signature.outputs]
  metadata = schema.MetadataT()
  metadata.name, metadata.buffer = _METADATA_NAME, len(parsed.buffers)
  packed = schema.BufferT()
  packed.data = _metadata(contract, inputs, outputs)
  parsed.buffers.append(packed)
  parsed.metadata = [*(parsed.metadata or ()), metadata]
  builder = flatbuffers.Builder(len(model))
  builder.Finish(parsed.Pack(builder), _MODEL_IDENTIFIER)
  return _append_files(bytes(builder.Output()), _packed_files(contract))


def _packed_files(contract: Contract) -> dict[str, str]:
  files = {EXPORTED_FILE: to_json(contract)}
  if contract.class_names:
    # Readers of TensorFlow Lite's label files expect one name per line.
    files[LABELS_FILE] = ''.join(f'{name}\n' for name in contract.class_names)
  return files


def _append_files(model: bytes, files: Mapping[str, str]) -> bytes:
  """Appends the files uncompressed, so that a phone can map them, and with a fixed date."""
  stream = io.BytesIO(model)
  with zipfile.ZipFile(stream, 'a') as archive:
    for name, text in files.items():
      archive.writestr(zipfile.ZipInfo(name), text)
  return stream.getvalue()


def _metadata(contract: Contract, inputs: str, outputs: Sequence[str]) -> bytes:
  writer = _Writer()
  output_tables = [
    _output(writer, name, has_labels=contract.class_names is not None and name == outputs[0])
    for name in outputs
  ]
  subgraph = writer.table(_SUBGRAPH, inputs=[_input(writer, inputs)], outputs=output_tables)
  model = writer.table(
    _MODEL,
    name=contract.network.model,
    subgraphs=[subgraph],
    files=[writer.table(_FILE, name=EXPORTED_FILE)],
    parser_version=_MIN_PARSER_VERSION,
  )
  return writer.finish(model, _METADATA_IDENTIFIER)


def _input(writer: '_Writer', name: str) -> '_Table':
  """Describes an RGB image of 0..255; readers that always normalize subtract 0 and divide by 1."""
  image = writer.table(_IMAGE, color_space=_RGB)
  normalization = writer.table(_NORMALIZATION, mean=[0.0], std=[1.0])
  return writer.table(
    _TENSOR,
    name=name,
    description='RGB image, 0..255; mean and scale are in the model.',
    content=writer.table(_CONTENT, properties_type=_IMAGE_PROPERTIES, properties=image),
    units=[writer.table(_UNIT, options_type=_NORMALIZATION_OPTIONS, options=normalization)],
    stats=writer.table(_STATS, max=[255.0], min=[0.0]),
  )


def _output(writer: '_Writer', name: str, has_labels: bool) -> '_Table':
  files = {}
  if has_labels:
    files = {'files': [writer.table(_FILE, name=LABELS_FILE, type=_TENSOR_AXIS_LABELS)]}
  return writer.table(_TENSOR, name=name, description=_DESCRIPTIONS[name], **files)


class _Table(NamedTuple):
  """A table that has been written.

  Attributes:
    offset: offset of the table in the buffer.
  """

  offset: int


class _Writer:
  """Writes the tables of a flatbuffer by the names of their fields."""

  def __init__(self) -> None:
    self._builder = flatbuffers.Builder()

  def table(
    self,
    fields: Sequence[str],
    **values: int | str | _Table | Sequence[float] | Sequence[_Table],
  ) -> _Table:
    """Writes a table; integers become fields of one byte."""
    written = {
      name: value if isinstance(value, int) else self._offset(value)
      for name, value in values.items()
    }
    self._builder.StartObject(len(fields))
    for name, value in written.items():
      if isinstance(value, _Table):
        self._builder.PrependUOffsetTRelativeSlot(fields.index(name), value.offset, 0)
      else:
        self._builder.PrependInt8Slot(fields.index(name), value, 0)
    return _Table(self._builder.EndObject())

  def finish(self, root: _Table, identifier: bytes) -> bytes:
    """Finishes the buffer and returns it."""
    self._builder.Finish(root.offset, identifier)
    return bytes(self._builder.Output())

  def _offset(self, value: str | _Table | Sequence[float] | Sequence[_Table]) -> _Table:
    builder = self._builder
    if isinstance(value, _Table):
      return value
    if isinstance(value, str):
      return _Table(builder.CreateString(value))
    builder.StartVector(4, len(value), 4)
    for item in reversed(value):
      if isinstance(item, _Table):
        builder.PrependUOffsetTRelative(item.offset)
      else:
        builder.PrependFloat32(item)
    return _Table(builder.EndVector())
