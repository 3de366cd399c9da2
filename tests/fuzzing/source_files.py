"""Readers of data sets that others publish: lists, archives, arrays and records."""

import functools
import gzip
import io
import pathlib
import pickle
import struct
import tarfile
import zipfile
from typing import Any

import numpy as np

from tests.fuzzing import containers, damage
from tests.fuzzing.execution import Reader
from vgg_slim.data import labels, record_framing
from vgg_slim.data.conversion import preparation
from vgg_slim.data.example_proto import encode_example
from vgg_slim.data.sources import catalog
from vgg_slim.preprocessing import png_files

_PNG = png_files.encode(np.arange(64, dtype=np.uint8).reshape(8, 8))
_FILES = {f'{kind}/{i}.png': _PNG for kind in ('cat', 'dog') for i in range(2)}
_PIXELS = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8)
_LABELS = np.array([0, 1, 0, 1], np.uint8)


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest data set for every reader into `folder`; returns the readers by name."""
  makers = (_lists, _archives, _arrays, _idx, _cifar, _records, _imagenet)
  readers: dict[str, Reader] = {}
  for make in makers:
    where = folder / make.__name__
    where.mkdir()
    readers.update(make(where))
  return readers


def _convert(dataset: str, path: pathlib.Path) -> None:
  """Does to a data set what the converter does before and while it writes."""
  source = catalog.open_source(dataset, path)
  labels.check_class_names(source.class_names)
  for images in source.splits.values():
    task = preparation.Task([images[i] for i in range(min(4, len(images)))], source.class_names)
    preparation.prepare(task)


def _reader(
  dataset: str,
  path: pathlib.Path,
  content: bytes,
  how: damage.Damage = damage.of_bytes,
  root: pathlib.Path | None = None,
) -> Reader:
  path.write_bytes(content)
  return Reader(path, functools.partial(_convert, dataset, root or path), how)


def _lists(folder: pathlib.Path) -> dict[str, Reader]:
  for name, data in _FILES.items():
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
  rows = [(name, name.partition('/')[0]) for name in _FILES]
  splits = ('train', 'train', 'train', 'val')
  comma = ''.join(f'{n},{label},{s}\n' for (n, label), s in zip(rows, splits, strict=True))
  tab = 'path\tlabel\n' + ''.join(f'{name}\t{label}\n' for name, label in rows)
  space = ''.join(f'{name} {int(label == "dog")}\n' for name, label in rows)
  texts = {'csv': comma, 'tsv': tab, 'txt': space}
  return {
    f'list {kind}': _reader('list', folder / f'list.{kind}', text.encode())
    for kind, text in texts.items()
  }


def _archives(folder: pathlib.Path) -> dict[str, Reader]:
  def tar(mode: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as archive:
      for i, (name, data) in enumerate(_FILES.items()):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        info.pax_headers = {'comment': 'x' * 20} if i == 1 else {}
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()

  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in _FILES.items():
      archive.writestr(name, data)
  in_tar = containers.in_tar(damage.of_bytes)
  in_zip = containers.in_zip(damage.of_bytes)
  any_tar = damage.either(damage.of_bytes, in_tar)
  in_gzip = damage.either(damage.of_bytes, containers.in_gzip(any_tar))
  return {
    'tar': _reader('tar', folder / 'a.tar', tar('w'), any_tar),
    'tar.gz': _reader('tar', folder / 'a.tar.gz', tar('w:gz'), in_gzip),
    'tar.bz2': _reader('tar', folder / 'a.tar.bz2', tar('w:bz2')),
    'tar.xz': _reader('tar', folder / 'a.tar.xz', tar('w:xz')),
    'zip': _reader(
      'zip', folder / 'a.zip', buffer.getvalue(), damage.either(damage.of_bytes, in_zip)
    ),
  }


def _arrays(folder: pathlib.Path) -> dict[str, Reader]:
  buffer = io.BytesIO()
  arrays: dict[str, Any] = {
    'x_train': _PIXELS,
    'y_train': _LABELS,
    'x_test': _PIXELS,
    'y_test': _LABELS,
  }
  np.savez(buffer, **arrays, class_names=np.array(['cat', 'dog']))
  in_npz = damage.either(damage.of_bytes, containers.in_zip(damage.of_bytes))
  return {'npz': _reader('npz', folder / 'a.npz', buffer.getvalue(), in_npz)}


def _idx(folder: pathlib.Path) -> dict[str, Reader]:
  images = struct.pack('>BBBBIII', 0, 0, 8, 3, 4, 8, 8) + _PIXELS.tobytes()
  numbers = struct.pack('>BBBBI', 0, 0, 8, 1, 4) + _LABELS.tobytes()
  zipped = folder / 'gz'
  zipped.mkdir()
  images_name, labels_name = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'
  (folder / labels_name).write_bytes(numbers)
  (zipped / labels_name).write_bytes(numbers)
  in_gzip = damage.either(damage.of_bytes, containers.in_gzip(damage.of_bytes))
  return {
    'idx': _reader('idx', folder / images_name, images, root=folder),
    'idx labels': _reader('idx', folder / labels_name, numbers, root=folder),
    'idx.gz': _reader('idx', zipped / f'{images_name}.gz', gzip.compress(images), in_gzip, zipped),
  }


def _cifar(folder: pathlib.Path) -> dict[str, Reader]:
  binary, pickled = folder / 'bin', folder / 'py'
  binary.mkdir()
  pickled.mkdir()
  batch = b''.join(bytes([i]) + bytes(3072) for i in range(2))
  values: dict[bytes, Any] = {b'data': np.zeros([2, 3072], np.uint8), b'labels': [0, 1]}
  for i in range(1, 6):
    (binary / f'data_batch_{i}.bin').write_bytes(batch)
    (pickled / f'data_batch_{i}').write_bytes(pickle.dumps(values, protocol=2))
  (binary / 'test_batch.bin').write_bytes(batch)
  (pickled / 'test_batch').write_bytes(pickle.dumps(values, protocol=2))
  names = {b'label_names': [b'cat', b'dog']}
  (pickled / 'batches.meta').write_bytes(pickle.dumps(names, protocol=2))
  meta = b'cat\ndog\n'
  (binary / 'batches.meta.txt').write_bytes(meta)
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode='w:gz') as archive:
    archive.add(binary, 'cifar-10-batches-bin')
  archive_path = folder / 'cifar-10-binary.tar.gz'
  any_tar = damage.either(damage.of_bytes, containers.in_tar(damage.of_bytes))
  small = pickle.dumps({**values, b'data': values[b'data'][:, :3072]}, protocol=2)
  return {
    'cifar binary': _reader('cifar10', binary / 'test_batch.bin', batch, root=binary),
    'cifar names': _reader('cifar10', binary / 'batches.meta.txt', meta, root=binary),
    'cifar archive': _reader(
      'cifar10',
      archive_path,
      buffer.getvalue(),
      damage.either(damage.of_bytes, containers.in_gzip(any_tar)),
    ),
    'cifar pickle': _reader('cifar10', pickled / 'test_batch', small, root=pickled),
    'cifar pickled names': _reader(
      'cifar10', pickled / 'batches.meta', pickle.dumps(names, protocol=2), root=pickled
    ),
  }


def _records(folder: pathlib.Path) -> dict[str, Reader]:
  ours, theirs = folder / 'slim', folder / 'tfds'
  ours.mkdir()
  theirs.mkdir()
  frames = b''.join(
    record_framing.frame(
      encode_example(
        encoded=_PNG,
        image_format='png',
        filename=f'{label}.png',
        label=label,
        class_name=name,
        height=8,
        width=8,
      )
    )
    for label, name in enumerate(('cat', 'dog'))
  )
  (theirs / 'label.labels.txt').write_text('cat\ndog\n', encoding='utf-8')
  (theirs / 'flowers-train.tfrecord-00000-of-00001').write_bytes(frames)
  (ours / labels.LABELS_FILE).write_text('0:cat\n1:dog\n', encoding='utf-8')
  in_records = damage.either(damage.of_bytes, containers.in_records(damage.of_bytes))
  return {
    'tfrecord': _reader(
      'tfrecord', ours / 'x_train_00000-of-00001.tfrecord', frames, in_records, ours
    ),
    'tfrecord labels': _reader('tfrecord', theirs / 'label.labels.txt', b'cat\ndog\n', root=theirs),
  }


def _imagenet(folder: pathlib.Path) -> dict[str, Reader]:
  readers = {}
  lists = {
    'LOC_val_solution.csv': 'ImageId,PredictionString\na,n01 1 2 3 4\nb,n02 1 2 3 4\n',
    'val.txt': 'a.JPEG 0\nb.JPEG 1\n',
    'validation_synset_labels.txt': 'n01\nn02\n',
    'synset_words.txt': 'n01 cat, puss\nn02 dog\n',
  }
  for name, text in lists.items():
    root = folder / name.partition('.')[0]
    for path in ('train/n01/x.JPEG', 'train/n02/x.JPEG', 'val/a.JPEG', 'val/b.JPEG'):
      (root / path).parent.mkdir(parents=True, exist_ok=True)
      (root / path).write_bytes(_PNG)
    (root / 'val.txt').write_text(lists['val.txt'], encoding='utf-8')
    if name != 'synset_words.txt':
      (root / 'val.txt').unlink()
    readers[f'imagenet {name}'] = _reader('imagenet', root / name, text.encode(), root=root)
  return readers
