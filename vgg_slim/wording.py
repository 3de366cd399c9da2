"""Numbers, lists and names in messages. No TensorFlow."""

import collections
import difflib
import os
import unicodedata
from collections.abc import Iterable

# Control characters, halves of surrogate pairs, and separators of lines and paragraphs.
_UNPRINTABLE = ('Cc', 'Cs', 'Zl', 'Zp')


def counted(number: int, noun: str) -> str:
  """Returns a number with its noun, such as '1 image' or '3 classes'.

  Args:
    number: number of things.
    noun: noun in the singular; only its last word changes, and only by a regular ending.
  """
  if number == 1:
    return f'1 {noun}'
  if noun.endswith(('s', 'x', 'ch', 'sh')) and not noun.endswith('epoch'):
    return f'{number} {noun}es'
  if noun.endswith('y') and noun[-2] not in 'aeiou':
    return f'{number} {noun[:-1]}ies'
  return f'{number} {noun}s'


def did_you_mean(name: str, names: Iterable[str]) -> str:
  """Returns ' (did you mean X?)' with the most similar of `names`, or '' if none is similar."""
  near = difflib.get_close_matches(name, list(names), n=1)
  return f' (did you mean {near[0]}?)' if near else ''


def listed(names: Iterable[str], most: int = 10, separator: str = ', ') -> str:
  """Returns the first `most` names, and the number of the others: 'a, b and 3 more'."""
  names = list(names)
  text = separator.join(names[:most])
  more = len(names) - most
  if more <= 0:
    return text
  return f'{text}{separator.rstrip() if separator != ", " else ""} and {more} more'


def count_extensions(names: Iterable[str]) -> str:
  """Returns how many files have each extension, the most frequent first: '3 .txt, 1 without'."""
  counts = collections.Counter(os.path.splitext(name)[1].lower() or 'without' for name in names)
  ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
  return listed(f'{count} {extension}' for extension, count in ordered)


def printable(name: str) -> str:
  """Returns a name on one line; characters that no terminal shows become escapes, such as '\\n'.

  Bytes of a file name that are not UTF-8 are shown as Python writes them, such as '\\udce9'.
  """
  return ''.join(ascii(c)[1:-1] if unicodedata.category(c) in _UNPRINTABLE else c for c in name)
