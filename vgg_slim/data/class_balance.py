"""What to warn about in the numbers of images per class of a converted data set. No TensorFlow."""

from vgg_slim.data.manifest import Manifest
from vgg_slim.wording import counted, listed

_IMBALANCE = 5  # times the images of the smallest class


def find_problems(manifest: Manifest) -> list[str]:
  """Describes classes without images in a split, and large differences between classes.

  Classes without training images are worse than others and come first.
  """
  problems = []
  for name, split in manifest.splits.items():
    empty = _without_images(manifest, name)
    if empty and split.num_examples:
      of = f'{len(empty)} of the {counted(manifest.num_classes, "class")}'
      problems.append(f'{name} has no images of {of}: {listed(empty)}')
  train = manifest.split('train').examples_per_class
  counts = sorted((count, name) for count, name in zip(train, manifest.class_names, strict=True))
  present = [pair for pair in counts if pair[0]]
  if present and present[-1][0] >= _IMBALANCE * present[0][0]:
    (few, smallest), (many, largest) = present[0], present[-1]
    problems.append(
      f'the largest training class, {largest}, has {counted(many, "image")}, {many / few:.0f} '
      f'times as many as the smallest, {smallest}, which has {few}'
    )
  return problems


def _without_images(manifest: Manifest, split: str) -> list[str]:
  counts = manifest.split(split).examples_per_class
  return [name for name, count in zip(manifest.class_names, counts, strict=True) if not count]
