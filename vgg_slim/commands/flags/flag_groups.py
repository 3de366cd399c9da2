"""Headings under which `--help` lists flags that belong together."""

from absl import flags

flags.disclaim_key_flags()


def set_heading(name: str, heading: str) -> None:
  """Makes `--help` list the flag `name` under `heading`."""
  vars(flags.FLAGS[name])['heading'] = heading


def by_heading(shown: list[flags.Flag], default: str) -> dict[str, list[flags.Flag]]:
  """Groups `shown` by heading, in order; flags without one come first, under `default`."""
  groups: dict[str, list[flags.Flag]] = {default: []}
  for flag in shown:
    groups.setdefault(vars(flag).get('heading', default), []).append(flag)
  return groups
