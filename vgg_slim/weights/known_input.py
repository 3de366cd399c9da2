"""Recognizes published files, whose networks' input is known. No TensorFlow.

No number in a file says how its network expects pixels, and comparing the imported network with the
source cannot tell either, because both are fed the same pixels.
"""

import os
import pathlib
import re
from typing import NamedTuple

from vgg_slim.constants import IMAGENET_RGB_MEAN, NUM_IMAGENET_CLASSES
from vgg_slim.weights import published
from vgg_slim.weights.download import find_mismatch
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.published import PublishedFile, Publisher

_SIZE_TOLERANCE = 0.01  # relative; sizes of torchvision are rounded


class _Layout(NamedTuple):
  """Names of arrays that only the publisher's networks have."""

  publisher: Publisher
  first: tuple[str, ...]
  last: tuple[str, ...]


_LAYOUTS = (
  _Layout(
    published.KERAS,
    ('block1_conv1/kernel', 'conv1_conv/kernel', 'conv1/kernel'),
    ('predictions/kernel', 'fc1000/kernel'),
  ),
  _Layout(
    published.TORCHVISION,
    ('features.0.weight', 'conv1.weight'),
    ('classifier.6.weight', 'fc.weight'),
  ),
  _Layout(
    published.SLIM,
    ('conv1/conv1_1/weights', 'conv1/weights'),
    ('fc8/weights', 'logits/weights'),
  ),
)
_KERAS_TRUNK = re.compile(r'(.*/)?(block\d_conv\d|conv\d_[^/]*)/[^/]*')


class Known(NamedTuple):
  """A recognized file.

  Attributes:
    publisher: who published it, or networks of its layout.
    evidence: what it was recognized by, for messages.
    has_classes: whether the head is that for ImageNet's classes.
  """

  publisher: Publisher
  evidence: str
  has_classes: bool


def recognize(path: str, foreign: ForeignWeights) -> Known | None:
  """Returns who published the file, or a network of its layout; None if it is unknown.

  Args:
    path: path of the file, or prefix of a checkpoint.
    foreign: its contents.
  """
  file = find_file(path)
  if file:
    return Known(file.publisher, f'its checksum is that of {file.name}', file.has_head)
  for layout in _LAYOUTS:
    if layout.publisher.framework == foreign.framework and _find(foreign, layout.first):
      head = _find(foreign, layout.last)
      by_names = f'its layers have the names of {layout.publisher.name}'
      if head and NUM_IMAGENET_CLASSES in foreign.arrays[head].shape:
        return Known(
          layout.publisher, f'{by_names} and its head {NUM_IMAGENET_CLASSES} classes', True
        )
      if layout.publisher is published.KERAS and all(map(_KERAS_TRUNK.fullmatch, foreign.arrays)):
        return Known(layout.publisher, f'{by_names}, and it has no head', False)
  return None


def find_file(path: str) -> PublishedFile | None:
  """Returns the published file of which `path` is a copy, by size and checksum."""
  if not os.path.isfile(path):
    return None
  size = os.path.getsize(path) / 1e6
  for file in published.FILES:
    is_near = file.megabytes and abs(size / file.megabytes - 1) < _SIZE_TOLERANCE
    if is_near and file.checksum and find_mismatch(pathlib.Path(path), file.checksum) is None:
      return file
  return None


def _find(foreign: ForeignWeights, endings: tuple[str, ...]) -> str | None:
  """Returns the first array that has one of the names below any scope or nested model."""
  for name in foreign.arrays:
    for ending in endings:
      if name == ending or (name.endswith(ending) and name[-len(ending) - 1] in '/.'):
        return name
  return None


def describe_assumption(known: Known | None, framework: str) -> str:
  """Returns one line that says how pixels are taken to reach the source network, and why.

  Args:
    known: what the file was recognized as.
    framework: framework of the file, as in `ForeignWeights`.
  """
  if known is None:
    return (
      f'input: assumed to be R, G, B in 0..255 minus {_join(IMAGENET_RGB_MEAN)}, because the file '
      f'is not recognized and holds nothing that tells. {_advise(framework)}Check it with '
      'tools/predict on an image whose class you know; the comparison with the source cannot.'
    )
  publisher = known.publisher
  divided = f', divided by {_join(publisher.rgb_std)}' if publisher.rgb_std else ''
  return (
    f'input: {"B, G, R" if publisher.bgr else "R, G, B"} in 0..255 minus R, G, B '
    f'{_join(publisher.rgb_mean)}{divided}, because {known.evidence}.'
  )


def _advise(framework: str) -> str:
  """Returns the flags for networks that were trained like the published ones of a framework."""
  publishers = [layout.publisher for layout in _LAYOUTS]
  publisher = next((p for p in publishers if p.framework == framework), published.SLIM)
  flags = ['--bgr'] if publisher.bgr else []
  if publisher.rgb_mean != IMAGENET_RGB_MEAN:
    flags.append(f'--rgb_mean={_join(publisher.rgb_mean)}')
  if publisher.rgb_std:
    flags.append(f'--rgb_std={_join(publisher.rgb_std)}')
  unscaled = '--rgb_mean=0,0,0 --pixel_scale=0.00392157'
  if not flags:
    return f'After training on 0..1, give {unscaled}. '
  return (
    f'After training on the pixels of {publisher.name}, give {" ".join(flags)}; after training on '
    f'0..1, {unscaled}. '
  )


def _join(numbers: tuple[float, ...]) -> str:
  return ','.join(f'{number:g}' for number in numbers)
