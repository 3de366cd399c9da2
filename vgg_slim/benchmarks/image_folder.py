"""The training images of a converted data set as files, for systems that read folders.

No TensorFlow: torchvision does not start in a process that has loaded it.
"""

import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import TypeVar

from vgg_slim.data import example_proto, manifest, record_framing

Batch = TypeVar('Batch')


def make_folder(data_dir: str) -> tempfile.TemporaryDirectory:
  """Writes the images of the training split, with their bytes unchanged, to one folder per label.

  Args:
    data_dir: folder of a converted data set.

  Returns:
    A temporary folder with subfolders '0000', '0001', ... of files '000000.jpeg' or '000000.png';
    it is deleted together with the returned object.

  Raises:
    DataError: `data_dir` holds no converted data set.
    OSError: a file cannot be read or written.
  """
  described = manifest.read_manifest(data_dir)
  folder = tempfile.TemporaryDirectory()
  number = 0
  for shard in manifest.shard_paths(data_dir, described, 'train'):
    for _, record in record_framing.iterate_records(shard):
      features = example_proto.decode_example(record)
      label, kind = features[example_proto.LABEL][0], features[example_proto.FORMAT][0].decode()
      path = pathlib.Path(folder.name, f'{label:04d}', f'{number:06d}.{kind}')
      path.parent.mkdir(exist_ok=True)
      path.write_bytes(features[example_proto.ENCODED][0])
      number += 1
  return folder


def iterate(batches: Iterable[Batch], folder: tempfile.TemporaryDirectory) -> Iterator[Batch]:
  """Yields batches that are read from `folder`, and deletes it after the last one."""
  with folder:
    yield from batches
