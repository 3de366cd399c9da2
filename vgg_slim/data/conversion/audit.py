"""Counts and names of the images of a shard or a split, and of their faults. No TensorFlow.

A worker process makes an audit, which is merged into the audit of its shard, written to the journal
as JSON and merged into the audit of its split. It takes 16 bytes per image, plus one entry for each
fault.
"""

import base64
import collections
import dataclasses
import os
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.data.conversion import pixel_moments
from vgg_slim.data.conversion.content_digest import DIGEST_BYTES

TINY_SIDE = 32  # pixels; the first _TINY_NAMED images with a shorter smaller side are named
_TINY_NAMED = 20


class Note(NamedTuple):
  """A remark about one image, such as ('cat/001.jpg', 3, 'EXIF rotation')."""

  name: str
  label: int
  text: str


class Thumbnail(NamedTuple):
  """One image of the contact sheet; `jpeg` is the content of a JPEG file."""

  name: str
  label: int
  jpeg: bytes


@dataclasses.dataclass
class Audit:
  """The images of one shard or split.

  Attributes:
    per_class: int64 [num_classes], number of good images by label.
    moments: int64 [4, 4, 4], sums over the good training images, see
      `pixel_moments.MomentCounter`.
    heights: smallest and largest height in pixels; None before the first good image.
    widths: smallest and largest width in pixels; None before the first good image.
    elongated: name, height and width of the good image whose sides have the largest ratio; of
      equal ones the first; None before the first good image.
    sides: number of good images by the bit length of their smaller side: key 6 counts 32..63
      pixels.
    tiny: names of the first images whose smaller side is below TINY_SIDE.
    fixed: repairs; the records hold the repaired images.
    quarantined: images that were left out, each with the reason.
    digests: DIGEST_BYTES per image in the order of the plan; zeros for images that were left out.
    thumbnails: images of the contact sheet.
    largest_unstated: largest value of the 16-bit images whose files do not state their range; None
      if there are none.
    extensions: number of good images by extension, in lower case; '' for names without one.
  """

  per_class: np.ndarray
  moments: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros(pixel_moments.SHAPE, np.int64)
  )
  heights: tuple[int, int] | None = None
  widths: tuple[int, int] | None = None
  elongated: tuple[str, int, int] | None = None
  sides: collections.Counter = dataclasses.field(default_factory=collections.Counter)
  tiny: list[str] = dataclasses.field(default_factory=list)
  fixed: list[Note] = dataclasses.field(default_factory=list)
  quarantined: list[Note] = dataclasses.field(default_factory=list)
  digests: bytearray = dataclasses.field(default_factory=bytearray)
  thumbnails: list[Thumbnail] = dataclasses.field(default_factory=list)
  largest_unstated: int | None = None
  extensions: collections.Counter = dataclasses.field(default_factory=collections.Counter)

  @classmethod
  def empty(cls, num_classes: int) -> 'Audit':
    return cls(np.zeros(num_classes, np.int64))

  @property
  def num_good(self) -> int:
    return int(self.per_class.sum())

  @property
  def num_images(self) -> int:
    """Number of images, including those that were left out."""
    return len(self.digests) // DIGEST_BYTES

  def add_good(self, name: str, label: int, size: tuple[int, int], digest: bytes) -> None:
    """Counts an image that is written to the records; `size` is (height, width) in pixels."""
    height, width = size
    self.per_class[label] += 1
    self.heights = _span(self.heights, (height, height))
    self.widths = _span(self.widths, (width, width))
    self.add_elongated((name, height, width))
    self.sides[min(size).bit_length()] += 1
    if min(size) < TINY_SIDE and len(self.tiny) < _TINY_NAMED:
      self.tiny.append(name)
    self.digests += digest
    self.extensions[extension_of(name)] += 1

  def add_elongated(self, image: tuple[str, int, int] | None) -> None:
    """Adds name, height and width of an image; None adds nothing."""
    if image is None:
      return
    _, *sides = self.elongated or ('', 0, 1)
    # The ratios of longer and shorter sides, without their division.
    if max(image[1:]) * min(sides) > max(sides) * min(image[1:]) or not self.elongated:
      self.elongated = image

  def add_unstated(self, largest: int | None) -> None:
    """Adds the largest value of an image whose range is not known; None adds nothing."""
    if largest is not None:
      self.largest_unstated = max(largest, self.largest_unstated or 0)

  def add_quarantined(self, name: str, label: int, reason: str) -> None:
    """Counts an image that is left out."""
    self.quarantined.append(Note(name, label, reason))
    self.digests += bytes(DIGEST_BYTES)

  def merge(self, other: 'Audit') -> None:
    """Adds the images of `other`, which follow those of this audit."""
    self.per_class += other.per_class
    self.moments += other.moments
    self.heights = _span(self.heights, other.heights)
    self.widths = _span(self.widths, other.widths)
    self.add_elongated(other.elongated)
    self.sides.update(other.sides)
    self.tiny = (self.tiny + other.tiny)[:_TINY_NAMED]
    self.fixed += other.fixed
    self.quarantined += other.quarantined
    self.digests += other.digests
    self.thumbnails += other.thumbnails
    self.add_unstated(other.largest_unstated)
    self.extensions.update(other.extensions)

  def remove(self, other: 'Audit') -> None:
    """Removes the images of `other` from the counts and lists, but not from sizes and digests."""
    self.per_class = self.per_class - other.per_class
    self.moments = self.moments - other.moments
    self.sides = self.sides - other.sides
    self.tiny = [name for name in self.tiny if name not in other.tiny]
    self.fixed = [note for note in self.fixed if note not in other.fixed]
    self.quarantined = [note for note in self.quarantined if note not in other.quarantined]
    self.thumbnails = [each for each in self.thumbnails if each not in other.thumbnails]
    self.extensions = self.extensions - other.extensions

  def to_json(self) -> dict[str, Any]:
    """A JSON object; `from_json` is its inverse."""
    return {
      **vars(self),
      'per_class': self.per_class.tolist(),
      'moments': self.moments.tolist(),
      'digests': _to_base64(self.digests),
      'thumbnails': [(name, label, _to_base64(jpeg)) for name, label, jpeg in self.thumbnails],
    }

  @classmethod
  def from_json(cls, values: dict[str, Any]) -> 'Audit':
    return cls(
      per_class=np.array(values['per_class'], np.int64),
      moments=np.array(values['moments'], np.int64).reshape(pixel_moments.SHAPE),
      heights=values['heights'] and tuple(values['heights']),
      widths=values['widths'] and tuple(values['widths']),
      elongated=values['elongated'] and tuple(values['elongated']),
      sides=collections.Counter({int(side): count for side, count in values['sides'].items()}),
      tiny=values['tiny'],
      fixed=[Note(*note) for note in values['fixed']],
      quarantined=[Note(*note) for note in values['quarantined']],
      digests=bytearray(base64.b64decode(values['digests'])),
      largest_unstated=values['largest_unstated'],
      extensions=collections.Counter(values['extensions']),
      thumbnails=[Thumbnail(n, label, base64.b64decode(j)) for n, label, j in values['thumbnails']],
    )


def extension_of(name: str) -> str:
  """Returns the extension of a file's name, in lower case with its dot; '' if it has none."""
  return os.path.splitext(name)[1].lower()


def group_duplicates(digests: bytes | bytearray) -> list[list[int]]:
  """Finds digests that occur more than once.

  Args:
    digests: DIGEST_BYTES per image; zeros stand for an image that was left out.

  Returns:
    Groups of indices of equal images. Indices ascend within a group; groups are ordered by their
    first index.
  """
  values = np.frombuffer(digests, f'V{DIGEST_BYTES}')
  # Sorting pairs of uint64 is many times faster than sorting bytes. The sort is stable, so indices
  # ascend within a group.
  words = values.view(np.uint64).reshape(-1, 2)
  order = np.lexsort((words[:, 1], words[:, 0]))
  sorted_words = words[order]
  is_first = np.ones(len(order), bool)
  is_first[1:] = (sorted_words[1:] != sorted_words[:-1]).any(axis=1)
  starts = np.flatnonzero(is_first)
  counts = np.diff(np.append(starts, len(order)))
  groups = [
    order[start : start + count].tolist()
    for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True)
    if sorted_words[start].any()
  ]
  return sorted(groups)


def _span(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
  if one is None or other is None:
    return one or other
  return min(one[0], other[0]), max(one[1], other[1])


def _to_base64(data: bytes | bytearray) -> str:
  return base64.b64encode(data).decode()
