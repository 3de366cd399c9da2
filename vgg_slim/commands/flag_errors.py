"""Words for values of flags that absl refuses in Python's words."""

import re

from vgg_slim.wording import did_you_mean

_NO_NAME = re.compile(r'=(.*): value should be one of <(.*)>$')
_WORDS = (
  (re.compile(r'^(Missing value for flag (--\w+))$'), r'\1: write \2=VALUE'),
  (re.compile(r': could not convert string to float: .*$'), ': must be a number'),
  (re.compile(r': invalid literal for int\(\) with base 10: .*$'), ': must be an integer'),
  (
    re.compile(r": \('Non-boolean argument to boolean flag', .*\)$"),
    ': must be true or false, or left out',
  ),
)


def reword(message: str) -> str:
  """Returns the message of a `flags.Error`, on one line, in words that say what to write."""
  for pattern, words in _WORDS:
    message = pattern.sub(words, message)
  if refused := _NO_NAME.search(message):
    message += did_you_mean(refused[1], refused[2].split('|'))
  return message
