"""The 1,000 classes of ImageNet (ILSVRC 2012-2017), in the order of the published networks.

`imagenet_classes.txt` holds one class per line: its synset in WordNet 3.0, and a word of it. The
words are torchvision's, which tell both cranes and both maillots apart; Keras's are the same but
for those two.
"""

import functools
import pathlib
import re
from collections.abc import Sequence

_FILE = pathlib.Path(__file__).with_name('imagenet_classes.txt')
_SYNSET = re.compile(r'(n\d{8})(\s.*)?')


@functools.cache
def _rows() -> tuple[tuple[str, str], ...]:
  rows = (line.split(' ', 1) for line in _FILE.read_text(encoding='utf-8').splitlines())
  return tuple((synset, word) for synset, word in rows)


def names() -> tuple[str, ...]:
  """Returns the words of the classes, such as 'tench'."""
  return tuple(word for _, word in _rows())


def canonical(class_names: Sequence[str]) -> tuple[str, ...]:
  """Returns the synsets of ImageNet's classes under any of their usual names.

  Args:
    class_names: names of classes: synsets, lines such as 'n01440764 tench, Tinca tinca', or all of
      `names()`.

  Returns:
    Synsets, or `class_names` as they are if they are not ImageNet's.
  """
  if tuple(class_names) == names():
    return tuple(synset for synset, _ in _rows())
  matches = [_SYNSET.fullmatch(name) for name in class_names]
  return tuple(
    match[1] if match else name for match, name in zip(matches, class_names, strict=True)
  )
