"""The training pictures of a converted data set as files, for systems that read folders.

No TensorFlow: torchvision does not start in a process that has loaded it.
"""

import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import TypeVar

from vgg_slim.data import example_proto, manifest, record_framing

Batch = TypeVar('Batch')


def make_folder(data_dir: str) -> tempfile.TemporaryDirectory:
  """Writes the pictures of the train split, bytes as they are, to one folder for each label.

  Args:
    data_dir: a converted data set.

  Returns:
    a temporary folder that is given folders '0000', '0001', ... with files '000000.jpeg' or '.png';
    gone with what is returned.

  Raises:
    DataError: no converted data set.
    OSError: a file cannot be read or written.
  """
  described = manifest.read_manifest(data_dir)
  folder = tempfile.TemporaryDirectory()
  number = 0
  for path in manifest.shard_paths(data_dir, described, 'train'):
    for _, record in record_framing.iterate_records(path):
      features = example_proto.decode_example(record)
      label, kind = features[example_proto.LABEL][0], features[example_proto.FORMAT][0].decode()
      place = pathlib.Path(folder.name, f'{label:04d}', f'{number:06d}.{kind}')
      place.parent.mkdir(exist_ok=True)
      place.write_bytes(features[example_proto.ENCODED][0])
      number += 1
  return folder


def iterate(batches: Iterable[Batch], folder: tempfile.TemporaryDirectory) -> Iterator[Batch]:
  """The batches that are read from `folder`, which stays as long as they may be asked for."""
  with folder:
    yield from batches
