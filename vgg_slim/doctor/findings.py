"""What a check found: ok, warn or fail, in one line, and what to do about it. No TensorFlow."""

from collections.abc import Callable
from typing import NamedTuple

from vgg_slim.errors import VggSlimError

OK, WARN, FAIL = 'ok', 'warn', 'fail'


class Finding(NamedTuple):
  """One line.

  Attributes:
    level: OK, WARN for what may be meant so, or FAIL for what a run will not survive.
    about: what was looked at.
    text: what was found.
    remedy: what to do; empty where nothing is needed or `text` says it.
  """

  level: str
  about: str
  text: str
  remedy: str = ''


def failure(about: str, error: Exception, remedy: str = '') -> Finding:
  """FAIL with the error's message in one line."""
  return Finding(FAIL, about, ' '.join(str(error).split()), remedy)


def found(about: str, work: Callable[[], str], remedy: str = '') -> Finding:
  """OK with the text that `work` returns, or FAIL with the VggSlimError that it raises."""
  try:
    return Finding(OK, about, work())
  except VggSlimError as error:
    return failure(about, error, remedy)
