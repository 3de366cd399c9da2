"""Headings that `--help` puts over flags which are defined together."""

import functools
from collections.abc import Callable

from absl import flags

flags.disclaim_key_flags()


def headed(heading: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
  """Decorates a function that defines flags: they stand under `heading`, but for nested ones."""

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
  """`shown` in their order under headings, first those of `default`, which have none."""
  groups: dict[str, list[flags.Flag]] = {default: []}
  for flag in shown:
    groups.setdefault(vars(flag).get('heading', default), []).append(flag)
  return groups
