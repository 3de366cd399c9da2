"""What to warn about in the numbers of images per class. No TensorFlow."""

from collections.abc import Sequence

from vgg_slim.data.manifest import Manifest
from vgg_slim.wording import counted, listed, printable

_IMBALANCE = 5  # times the images of the smallest class


def find_problems(manifest: Manifest, is_balanced: bool = False) -> list[str]:
  """Describes classes without images in a split, and large differences between classes.

  Classes without training images are worse than others and come first.

  Args:
    manifest: manifest of the data set.
    is_balanced: whether training makes up for differences.
  """
  problems = []
  for name, split in manifest.splits.items():
    empty = _without_images(manifest, name)
    if empty and split.num_examples:
      of = f'{len(empty)} of the {counted(manifest.num_classes, "class")}'
      problems.append(f'{name} has no images of {of}: {listed(empty)}')
  counts = manifest.split('train').examples_per_class
  imbalance = None if is_balanced else find_imbalance(manifest.class_names, counts)
  return problems + ([imbalance] if imbalance else [])


def find_imbalance(class_names: Sequence[str], counts: Sequence[int]) -> str | None:
  """Describes a difference between the training classes that needs a remedy, which it names.

  Args:
    class_names: names of the classes.
    counts: number of training images of each class; classes without images are not compared.

  Returns:
    A clause without a full stop; None if the largest class is less than five times the smallest.
  """
  ranked = sorted((count, name) for count, name in zip(counts, class_names, strict=True) if count)
  if not ranked or ranked[-1][0] < _IMBALANCE * ranked[0][0]:
    return None
  (few, smallest), (many, largest) = ranked[0], ranked[-1]
  return (
    f'the largest training class, {largest}, has {counted(many, "image")}, {many / few:.0f} times '
    f'as many as the smallest, {smallest}, which has {few}; training can make up for this '
    '(--class_weights=balanced or --balanced_batches) and choose its best epoch accordingly '
    '(--best_metric=balanced_accuracy)'
  )


def describe_only_answer(class_name: str, images: str, is_balanced: bool = False) -> str:
  """A sentence about a network that predicts one class for all images, whose classes differ.

  Args:
    class_name: name of the class.
    images: the images, such as 'all 6 images'.
    is_balanced: whether training made up for classes of different size, which is then no advice.
  """
  remedy = (
    ''
    if is_balanced
    else '; if most training images are of this class, with --class_weights=balanced or '
    '--balanced_batches'
  )
  return (
    f'The network predicts {printable(class_name)!r} for {images}: it does not tell the classes '
    f'apart. Train it longer, with another --learning_rate, or from --weights=imagenet{remedy}.'
  )


def _without_images(manifest: Manifest, split: str) -> list[str]:
  counts = manifest.split(split).examples_per_class
  return [name for name, count in zip(manifest.class_names, counts, strict=True) if not count]
