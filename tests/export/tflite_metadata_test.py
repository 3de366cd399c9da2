import zipfile

import flatbuffers
import numpy as np
from flatbuffers import number_types

from tests.export.fabricated import CONTRACT, make_checkpoint
from vgg_slim.checkpoints.contract import read_contract
from vgg_slim.compat import load_tflite_schema
from vgg_slim.export import tflite

# Indices of fields in metadata_schema.fbs of TensorFlow Lite.
MODEL_NAME, MODEL_SUBGRAPHS, MODEL_FILES = 0, 3, 6
INPUTS, OUTPUTS = 2, 3
TENSOR_NAME, TENSOR_CONTENT, TENSOR_UNITS, TENSOR_FILES = 0, 3, 4, 6
FILE_NAME, FILE_TYPE = 0, 2


class Table:
  """Reads a table of a flatbuffer by the indices of its fields."""

  def __init__(self, data, position):
    self.table = flatbuffers.table.Table(data, position)

  def _at(self, field):
    offset = self.table.Offset(4 + 2 * field)
    return offset and offset + self.table.Pos

  def text(self, field):
    return self.table.String(self._at(field)).decode()

  def byte(self, field):
    return self.table.Get(number_types.Int8Flags, self._at(field)) if self._at(field) else 0

  def child(self, field):
    return Table(self.table.Bytes, self.table.Indirect(self._at(field)))

  def children(self, field):
    if not self._at(field):
      return []
    offset = self._at(field) - self.table.Pos
    start = self.table.Vector(offset)
    return [
      Table(self.table.Bytes, self.table.Indirect(start + 4 * i))
      for i in range(self.table.VectorLen(offset))
    ]

  def floats(self, field):
    return self.table.GetVectorAsNumpy(
      number_types.Float32Flags, self._at(field) - self.table.Pos
    ).tolist()


def metadata_of(path):
  model = load_tflite_schema().ModelT.InitFromPackedBuf(path.read_bytes(), 0)
  (index,) = [m.buffer for m in model.metadata if m.name == b'TFLITE_METADATA']
  data = bytes(np.asarray(model.buffers[index].data, np.uint8))
  assert data[4:8] == b'M001'
  return Table(data, int.from_bytes(data[:4], 'little'))


def test_labels_and_contract_are_packed_and_recorded(tmp_path):
  tflite.write(*make_checkpoint(tmp_path), tmp_path)
  path = tmp_path / tflite.FILE
  with zipfile.ZipFile(path) as archive:
    assert archive.testzip() is None
    assert archive.namelist() == ['contract.json', 'labels.txt']
    assert archive.read('labels.txt') == b'a\nb\nc\n'
    archive.extract('contract.json', tmp_path / 'unpacked')
  assert read_contract(tmp_path / 'unpacked' / 'contract.json') == CONTRACT
  model = metadata_of(path)
  assert model.text(MODEL_NAME) == 'vgg_a@4'
  assert [file.text(FILE_NAME) for file in model.children(MODEL_FILES)] == ['contract.json']
  (graph,) = model.children(MODEL_SUBGRAPHS)
  probabilities, logits = graph.children(OUTPUTS)
  (labels,) = probabilities.children(TENSOR_FILES)
  assert (labels.text(FILE_NAME), labels.byte(FILE_TYPE)) == ('labels.txt', 2)
  assert logits.children(TENSOR_FILES) == []
  assert [t.text(TENSOR_NAME) for t in (probabilities, logits)] == ['probabilities', 'logits']


def test_the_input_is_an_rgb_image_that_needs_no_normalization(tmp_path):
  tflite.write(*make_checkpoint(tmp_path), tmp_path)
  (graph,) = metadata_of(tmp_path / tflite.FILE).children(MODEL_SUBGRAPHS)
  (images,) = graph.children(INPUTS)
  content = images.child(TENSOR_CONTENT)
  assert images.text(TENSOR_NAME) == 'images'
  assert (content.byte(0), content.child(1).byte(0)) == (2, 1)  # ImageProperties, RGB
  (unit,) = images.children(TENSOR_UNITS)
  assert unit.byte(0) == 1  # NormalizationOptions
  assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([0.0], [1.0])


def test_a_model_without_class_names_has_no_labels_file(tmp_path):
  tflite.write(*make_checkpoint(tmp_path, class_names=None), tmp_path)
  with zipfile.ZipFile(tmp_path / tflite.FILE) as archive:
    assert archive.namelist() == ['contract.json']
  (graph,) = metadata_of(tmp_path / tflite.FILE).children(MODEL_SUBGRAPHS)
  assert [t.children(TENSOR_FILES) for t in graph.children(OUTPUTS)] == [[], []]


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  written = []
  for _ in range(2):
    tflite.write(prefix, contract, tmp_path)
    written.append((tmp_path / tflite.FILE).read_bytes())
  assert written[0] == written[1]
