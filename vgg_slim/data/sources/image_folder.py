"""Folders with one folder per class, with or without split folders above them. No TensorFlow."""

import os
import pathlib
from collections.abc import Sequence

from vgg_slim.data.sources import class_layout
from vgg_slim.data.sources.image_files import list_tree
from vgg_slim.data.sources.labeled_images import FileImages, Source, fingerprint_files


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
  layout = class_layout.arrange(root, list_tree(root), class_names, labels_from)
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
