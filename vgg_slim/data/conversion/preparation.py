"""From listed pictures to framed examples, in a worker process. No TensorFlow."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.conversion import audit, pixel_moments
from vgg_slim.data.sources.labeled_images import LabeledImage
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host


class Task(NamedTuple):
  """Some pictures of one shard.

  Attributes:
    images: in the order of the shard.
    class_names: of all labels.
    smaller_side: see `host.read_image`.
    count_pixels: whether to add up `Audit.moments`, which only the train split needs.
    sampled: places in `images` of which all pixels are counted, where of other large JPEG files the
      means of 8x8 will do; None counts all pixels of all.
    on_sheet: places in `images` that the contact sheet wants.
  """

  images: Sequence[LabeledImage]
  class_names: Sequence[str]
  smaller_side: int | None = None
  count_pixels: bool = True
  sampled: Sequence[int] | None = None
  on_sheet: Sequence[int] = ()


class Prepared(NamedTuple):
  """What became of a task: framed Examples of the good pictures, in order, and what was found."""

  frames: list[bytes]
  audit: audit.Audit


def prepare(task: Task) -> Prepared:
  """Reads and decodes each picture; what cannot be used is noted, never raised."""
  found = audit.Audit.empty(len(task.class_names))
  counter = pixel_moments.MomentCounter()
  frames = []
  allow_eighth_scale = task.sampled is not None or not task.count_pixels
  for place, image in enumerate(task.images):
    try:
      data = image.read()
      picture = _picture(data, task.smaller_side, allow_eighth_scale and place not in task.on_sheet)
    except (DataError, OSError) as error:
      found.add_quarantined(image.name, image.label, str(error))
      continue
    size = (picture.height, picture.width)
    found.add_good(image.name, image.label, size, audit.digest_of(data))
    if task.count_pixels and not picture.is_eighth_scale:
      counter.add(picture.image)
    elif task.count_pixels and place in task.sampled:
      counter.add_sample(host.read_image(data).image, picture.image)
    elif task.count_pixels:
      counter.add_means(picture.image)
    found.fixed += [
      audit.Note(image.name, image.label, fix)
      for fix in (*_wrong_extension(image.name, picture.found_format), *picture.fixes)
    ]
    if place in task.on_sheet:
      jpeg = host.thumbnail(picture.image)
      found.thumbnails.append(audit.Thumbnail(image.name, image.label, jpeg))
    example = example_proto.encode_example(
      encoded=picture.encoded,
      image_format=picture.image_format,
      filename=image.name,
      label=image.label,
      class_name=task.class_names[image.label],
      height=picture.height,
      width=picture.width,
    )
    frames.append(record_framing.frame(example))
  found.moments = counter.moments
  return Prepared(frames, found)


def _picture(
  data: bytes | np.ndarray, smaller_side: int | None, allow_eighth_scale: bool
) -> host.StoredImage:
  if not isinstance(data, np.ndarray):
    return host.read_image(data, smaller_side, allow_eighth_scale)
  if smaller_side is not None and min(data.shape[:2]) > smaller_side:
    return host.read_image(host.encode_png(data), smaller_side)
  return host.store_pixels(data)


def _wrong_extension(name: str, found_format: str) -> list[str]:
  extension = os.path.splitext(name)[1].lower()
  meant = host.EXTENSIONS.get(extension)
  if meant is None or found_format in meant:
    return []
  return [f'{found_format} file named {extension}']
