"""Turns listed images into framed examples, in a worker process. No TensorFlow."""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.conversion import audit, content_digest, pixel_moments
from vgg_slim.data.sources.labeled_images import LabeledImage
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host, image_formats, png_files
from vgg_slim.preprocessing.description import Range

_MAX_SAMPLED = 50_000_000  # pixels; larger images are counted by means alone


class Storage(NamedTuple):
  """How images are stored.

  Attributes:
    smaller_side: side in pixels; images whose smaller side is longer are reduced to it. None keeps
      their size.
    pixel_range: see `host.read_image`.
    max_megapixels: see `host.read_image`.
  """

  smaller_side: int | None = None
  pixel_range: Range | None = None
  max_megapixels: float | None = None


UNCHANGED = Storage()  # unless an image has to be repaired


class Task(NamedTuple):
  """Part of the images of one shard.

  Attributes:
    images: images in the order of the shard.
    class_names: names of all classes in the order of their labels.
    storage: how the images are stored.
    count_pixels: whether to compute `Audit.moments`, which only the training split needs.
    sampled: indices in `images` of the images whose pixels are all counted; for other large JPEG
      files, means of 8x8 blocks are counted. None counts all pixels of all images.
    on_sheet: indices in `images` of the images that the contact sheet shows.
  """

  images: Sequence[LabeledImage]
  class_names: Sequence[str]
  storage: Storage = UNCHANGED
  count_pixels: bool = True
  sampled: Sequence[int] | None = None
  on_sheet: Sequence[int] = ()


class Prepared(NamedTuple):
  """The result of a task: framed Examples of the good images in order, and their audit."""

  frames: list[bytes]
  audit: audit.Audit


def prepare(task: Task) -> Prepared:
  """Reads and decodes each image; unusable images are quarantined and never raise."""
  task_audit = audit.Audit.empty(len(task.class_names))
  counter = pixel_moments.MomentCounter()
  frames = []
  allow_eighth_scale = task.sampled is not None or not task.count_pixels
  for index, image in enumerate(task.images):
    try:
      data = image.read()
      stored = _store(data, task.storage, allow_eighth_scale and index not in task.on_sheet)
    except (DataError, OSError) as error:
      task_audit.add_quarantined(image.name, image.label, str(error))
      continue
    size = (stored.height, stored.width)
    task_audit.add_good(image.name, image.label, size, content_digest.digest_of(data, stored))
    task_audit.add_unstated(stored.largest_unstated)
    if task.count_pixels and not stored.is_eighth_scale:
      counter.add(stored.image)
    elif task.count_pixels and index in (task.sampled or ()) and math.prod(size) <= _MAX_SAMPLED:
      counter.add_sample(host.read_image(bytes(data)).image, stored.image)
    elif task.count_pixels:
      counter.add_means(stored.image)
    task_audit.fixed += [
      audit.Note(image.name, image.label, fix)
      for fix in (*_wrong_extension(image.name, stored.found_format), *stored.fixes)
    ]
    if index in task.on_sheet:
      jpeg = host.thumbnail(stored.image)
      task_audit.thumbnails.append(audit.Thumbnail(image.name, image.label, jpeg))
    example = example_proto.encode_example(
      encoded=stored.encoded,
      image_format=stored.image_format,
      filename=image.name,
      label=image.label,
      class_name=task.class_names[image.label],
      height=stored.height,
      width=stored.width,
    )
    frames.append(record_framing.frame(example))
  task_audit.moments = counter.moments
  return Prepared(frames, task_audit)


def _store(
  data: bytes | np.ndarray, storage: Storage, allow_eighth_scale: bool
) -> host.StoredImage:
  smaller_side, pixel_range, max_megapixels = storage
  if not isinstance(data, np.ndarray):
    return host.read_image(data, smaller_side, allow_eighth_scale, pixel_range, max_megapixels)
  if smaller_side is not None and min(data.shape[:2]) > smaller_side:
    return host.read_image(png_files.encode(data), smaller_side)
  return host.store_pixels(data)


def _wrong_extension(name: str, found_format: str) -> list[str]:
  extension = os.path.splitext(name)[1].lower()
  expected = image_formats.EXTENSIONS.get(extension)
  if expected is None or found_format in expected:
    return []
  return [f'{found_format} file named {extension}']
