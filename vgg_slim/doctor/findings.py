"""Result of a check: ok, warn or fail, a one-line description, a remedy. No TensorFlow."""

from collections.abc import Callable
from typing import NamedTuple

from vgg_slim.errors import VggSlimError, one_line

OK, WARN, FAIL = 'ok', 'warn', 'fail'


class Finding(NamedTuple):
  """Result of a check.

  Attributes:
    level: OK; WARN for something that may be intended; FAIL for something that would stop a run.
    about: subject of the check.
    text: description of the result.
    remedy: advice on what to do; empty if nothing needs to be done or `text` says it.
  """

  level: str
  about: str
  text: str
  remedy: str = ''


def failure(about: str, error: Exception, remedy: str = '') -> Finding:
  """FAIL, with the message of an error on one line."""
  return Finding(FAIL, about, one_line(error), remedy)


def run_check(about: str, check: Callable[[], str], remedy: str = '') -> Finding:
  """OK with the text that `check` returns, or FAIL with the VggSlimError that it raises."""
  try:
    return Finding(OK, about, check())
  except VggSlimError as error:
    return failure(about, error, remedy)
