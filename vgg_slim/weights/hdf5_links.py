"""Checks HDF5 files from strangers. No TensorFlow.

Such a file could name any file of this machine as external storage, and its bytes would come back
as weights. And it can be damaged in a part that only Keras reads.
"""

from typing import Any

from vgg_slim.errors import CheckpointError


def check_is_self_contained(path: str, file: Any) -> None:
  """Raises CheckpointError if an item of the file is stored in, or links to, another file.

  Args:
    path: path of the file, for the message.
    file: the open `h5py.File`.
  """
  import h5py

  outside = []

  def visit(name: str, link: Any) -> None:
    if isinstance(link, h5py.ExternalLink):
      outside.append(f'{name} links to {link.filename}')
    elif isinstance(link, h5py.HardLink):
      item = file.get(name)
      if isinstance(item, h5py.Dataset):
        outside.extend(f'{name} is stored in {storage[0]}' for storage in item.external or ())
        if item.is_virtual:
          sources = {source.file_name for source in item.virtual_sources()} - {'.'}
          outside.extend(f'{name} is a view of {source}' for source in sorted(sources))

  file.visititems_links(visit)
  if outside:
    more = f' and {len(outside) - 1} more' if len(outside) > 1 else ''
    raise CheckpointError(
      f'{path}: {outside[0]}{more}. Files that take data from other files are not read; expected '
      'one file that holds all its weights.'
    )


def read_completely(file: Any) -> None:
  """Reads all attributes, and all datasets that HDF5 has to decode.

  What makes the C library crash or loop does so here, in a child process, and not later in the
  parent, where Keras reads the same file.

  Args:
    file: the open `h5py.File`.
  """
  import h5py

  def visit(name: str, item: Any) -> None:
    list(item.attrs.values())
    if isinstance(item, h5py.Dataset) and item.chunks:
      item[()]

  visit('/', file)
  file.visititems(visit)
