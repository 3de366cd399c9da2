"""What a user may have meant by a folder that is not what it should be. No TensorFlow."""

import itertools
import os
import pathlib
import shlex

from vgg_slim import files, similar_paths
from vgg_slim.preprocessing import image_formats
from vgg_slim.wording import counted

_LEVELS = 3  # images in the folder itself, in class folders, or in these in folders of splits


def conversion(folder: pathlib.Path) -> str:
  """Returns a sentence with the command that converts `folder`; '' if it holds no images."""
  if not _has_images(folder, _LEVELS):
    return ''
  here = os.path.relpath(folder)
  source = str(folder) if here.startswith(os.pardir) else here
  output = output_for(folder)
  return (
    ' It holds images: convert them with tools/convert_to_tfrecord --dataset=folder '
    f'--input_dir={shlex.quote(source)} --output_dir={shlex.quote(output)}, and give '
    f'--data_dir={shlex.quote(output)}.'
  )


def output_for(folder: str | pathlib.Path) -> str:
  """Returns a free path outside `folder` for its images, such as data/photos for photos."""
  above, name = os.path.split(os.path.abspath(folder))
  output = os.path.join('data', name)
  if files.is_inside(output, folder):
    output = os.path.join(os.path.relpath(above), f'{name}_converted')
  elif os.path.exists(output):
    output += '_converted'
  numbered = (f'{output}_{number}' for number in itertools.count(2))
  free = (path for path in itertools.chain([output], numbered) if not os.path.exists(path))
  return os.path.normpath(next(free))


def folder_of_classes(folder: pathlib.Path) -> str:
  """Returns a sentence that names the folder above if `folder` is one of its class folders."""
  above = os.path.normpath(os.path.join(folder, os.pardir))
  if not _has_images(folder, 1):
    return ''
  count = sum(
    entry.is_dir() and _has_images(entry.path, 1) for entry in similar_paths.visible_entries(above)
  )
  if count < 2:
    return ''
  return (
    f' It is one of {counted(count, "folder")} of images in {above}: did you mean '
    f'--input_dir={shlex.quote(above)}?'
  )


def _has_images(folder: str | pathlib.Path, levels: int) -> bool:
  """Whether files in a folder, or in those below it, are images by their extension."""
  entries = list(similar_paths.visible_entries(folder))
  if any(image_formats.has_image_extension(os.path.splitext(e.name)[1]) for e in entries):
    return True
  return levels > 1 and any(e.is_dir() and _has_images(e.path, levels - 1) for e in entries)
