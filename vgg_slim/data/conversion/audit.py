"""What was found in the pictures of a shard or a split: counts and names. No TensorFlow.

An audit is made in a worker process, added to that of its shard, journalled as JSON, and added to
that of its split; none of it grows with the pictures but 16 bytes each and what is wrong with some.
"""

import base64
import collections
import dataclasses
import hashlib
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.data.conversion import pixel_moments

DIGEST_BYTES = 16
TINY_SIDE = 32  # pixels; pictures whose smaller side is shorter are named, the first few of them
_TINY_NAMED = 20


class Note(NamedTuple):
  """Something to say of one picture, such as ('cat/001.jpg', 3, 'EXIF rotation')."""

  name: str
  label: int
  text: str


class Thumbnail(NamedTuple):
  """One picture of the contact sheet; `jpeg` is a file."""

  name: str
  label: int
  jpeg: bytes


@dataclasses.dataclass
class Audit:
  """Pictures of one shard or split.

  Attributes:
    per_class: good pictures by label.
    moments: of the good pictures to train with, see `pixel_moments.MomentCounter`.
    heights: smallest and largest, pixels; None before the first good picture.
    widths: the same.
    sides: good pictures by the bit length of their smaller side: key 6 counts 32..63 pixels.
    tiny: names of the first pictures whose smaller side is below TINY_SIDE.
    fixed: what was mended; the records hold the mended pictures.
    quarantined: pictures that were left out, and why.
    digests: DIGEST_BYTES for every picture in the order of the plan, zeros for those left out.
    thumbnails: for the contact sheet.
  """

  per_class: np.ndarray
  moments: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros(pixel_moments.SHAPE, np.int64)
  )
  heights: tuple[int, int] | None = None
  widths: tuple[int, int] | None = None
  sides: collections.Counter = dataclasses.field(default_factory=collections.Counter)
  tiny: list[str] = dataclasses.field(default_factory=list)
  fixed: list[Note] = dataclasses.field(default_factory=list)
  quarantined: list[Note] = dataclasses.field(default_factory=list)
  digests: bytearray = dataclasses.field(default_factory=bytearray)
  thumbnails: list[Thumbnail] = dataclasses.field(default_factory=list)

  @classmethod
  def empty(cls, num_classes: int) -> 'Audit':
    return cls(np.zeros(num_classes, np.int64))

  @property
  def num_good(self) -> int:
    return int(self.per_class.sum())

  @property
  def num_images(self) -> int:
    """Good or not."""
    return len(self.digests) // DIGEST_BYTES

  def add_good(self, name: str, label: int, size: tuple[int, int], digest: bytes) -> None:
    """Counts a picture that goes into the records; `size` is (height, width) in pixels."""
    height, width = size
    self.per_class[label] += 1
    self.heights = _span(self.heights, (height, height))
    self.widths = _span(self.widths, (width, width))
    self.sides[min(size).bit_length()] += 1
    if min(size) < TINY_SIDE and len(self.tiny) < _TINY_NAMED:
      self.tiny.append(name)
    self.digests += digest

  def add_quarantined(self, name: str, label: int, reason: str) -> None:
    """Counts a picture that is left out."""
    self.quarantined.append(Note(name, label, reason))
    self.digests += bytes(DIGEST_BYTES)

  def merge(self, other: 'Audit') -> None:
    """Adds the pictures of `other`, which come after those that are here."""
    self.per_class += other.per_class
    self.moments += other.moments
    self.heights = _span(self.heights, other.heights)
    self.widths = _span(self.widths, other.widths)
    self.sides.update(other.sides)
    self.tiny = (self.tiny + other.tiny)[:_TINY_NAMED]
    self.fixed += other.fixed
    self.quarantined += other.quarantined
    self.digests += other.digests
    self.thumbnails += other.thumbnails

  def to_json(self) -> dict[str, Any]:
    """A JSON object; `from_json` is its inverse."""
    return {
      **vars(self),
      'per_class': self.per_class.tolist(),
      'moments': self.moments.tolist(),
      'digests': _text(self.digests),
      'thumbnails': [(name, label, _text(jpeg)) for name, label, jpeg in self.thumbnails],
    }

  @classmethod
  def from_json(cls, values: dict[str, Any]) -> 'Audit':
    return cls(
      per_class=np.array(values['per_class'], np.int64),
      moments=np.array(values['moments'], np.int64).reshape(pixel_moments.SHAPE),
      heights=values['heights'] and tuple(values['heights']),
      widths=values['widths'] and tuple(values['widths']),
      sides=collections.Counter({int(side): count for side, count in values['sides'].items()}),
      tiny=values['tiny'],
      fixed=[Note(*note) for note in values['fixed']],
      quarantined=[Note(*note) for note in values['quarantined']],
      digests=bytearray(base64.b64decode(values['digests'])),
      thumbnails=[Thumbnail(n, label, base64.b64decode(j)) for n, label, j in values['thumbnails']],
    )


def digest_of(data: bytes | np.ndarray) -> bytes:
  """What equal pictures share: the head of the SHA-256 of a file, or of pixels and their shape."""
  digest = hashlib.sha256(data)
  if isinstance(data, np.ndarray):
    digest.update(repr(data.shape).encode())
  return digest.digest()[:DIGEST_BYTES]


def group_duplicates(digests: bytes | bytearray) -> list[list[int]]:
  """Finds digests that come more than once.

  Args:
    digests: DIGEST_BYTES for each picture; zeros stand for a picture that was left out.

  Returns:
    groups of places, each ascending, in the order of their first place.
  """
  values = np.frombuffer(digests, f'V{DIGEST_BYTES}')
  # Sorted as two numbers, which is many times faster than as bytes; stable, so places ascend.
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


def _text(data: bytes | bytearray) -> str:
  return base64.b64encode(data).decode()
