"""Folders with one folder per class, with or without split folders above them. No TensorFlow."""

import os
import pathlib
from collections.abc import Sequence

from vgg_slim.data import path_hints
from vgg_slim.data.sources import class_layout, split_names
from vgg_slim.data.sources.image_files import list_tree
from vgg_slim.data.sources.labeled_images import FileImages, Source, fingerprint_files
from vgg_slim.errors import DataError


def open_folder(
  root: pathlib.Path,
  class_names: Sequence[str] | None = None,
  labels_from: str = class_layout.FROM_FOLDER,
) -> Source:
  """Opens a folder of class folders, or of folders of splits that hold class folders.

  Args:
    root: the folder; see `split_names` for the names of splits.
    class_names: see `class_layout.arrange`.
    labels_from: see `class_layout.arrange`.

  Raises:
    DataError: see `class_layout.arrange`.
    OSError: a folder cannot be read.
  """
  files = list_tree(root)
  try:
    layout = class_layout.arrange(root, files, class_names, labels_from)
  except DataError as error:
    is_split = split_names.split_of(root.absolute().name)
    if labels_from != class_layout.FROM_FOLDER or files.folders or is_split:
      raise
    raise DataError(f'{error}{path_hints.folder_of_classes(root)}') from error
  base = os.path.join(root, layout.around.rstrip('/'))
  paths = [os.path.join(base, name) for names, _ in layout.splits.values() for name in names]
  return Source(
    'folder',
    layout.class_names,
    {split: FileImages(base, *listing) for split, listing in layout.splits.items()},
    True,
    fingerprint_files(paths),
    skipped_files=layout.skipped_files,
    notes=layout.notes,
  )
