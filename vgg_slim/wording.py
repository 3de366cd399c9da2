"""Numbers and lists in messages. No TensorFlow."""

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
  """Returns a number with its noun, such as '1 image' or '3 classes'.

  Args:
    number: number of things.
    noun: noun in the singular; only its last word changes, and only by a regular ending.
  """
  if number == 1:
    return f'1 {noun}'
  if noun.endswith(('s', 'x', 'ch', 'sh')):
    return f'{number} {noun}es'
  if noun.endswith('y') and noun[-2] not in 'aeiou':
    return f'{number} {noun[:-1]}ies'
  return f'{number} {noun}s'


def listed(names: Iterable[str], most: int = 10, separator: str = ', ') -> str:
  """Returns the first `most` names, and the number of the others: 'a, b and 3 more'."""
  names = list(names)
  text = separator.join(names[:most])
  more = len(names) - most
  if more <= 0:
    return text
  return f'{text}{separator.rstrip() if separator != ", " else ""} and {more} more'
