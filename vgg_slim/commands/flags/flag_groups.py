"""Headings under which `--help` lists flags that are defined together."""

import functools
from collections.abc import Callable

from absl import flags

flags.disclaim_key_flags()


def headed(heading: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
  """Decorates a function so that `--help` lists the flags that it defines under `heading`.

  Flags that already have a heading, from a nested function, keep it.
  """

  def decorate(define: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(define)
    def define_headed() -> None:
      before = set(flags.FLAGS)
      define()
      for name in set(flags.FLAGS) - before:
        vars(flags.FLAGS[name]).setdefault('heading', heading)

    return define_headed

  return decorate


def by_heading(shown: list[flags.Flag], default: str) -> dict[str, list[flags.Flag]]:
  """Groups `shown` by heading, in order; flags without one come first, under `default`."""
  groups: dict[str, list[flags.Flag]] = {default: []}
  for flag in shown:
    groups.setdefault(vars(flag).get('heading', default), []).append(flag)
  return groups
