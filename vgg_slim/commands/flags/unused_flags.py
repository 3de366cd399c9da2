"""Flags of the head that have no effect on a network, because its head lacks such layers."""

from collections.abc import Callable, Mapping

from absl import flags

from vgg_slim.configs.net import NetConfig
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs

flags.disclaim_key_flags()

# By flag: the value that is the default or asks for nothing, and whether a head uses the flag.
_USES: Mapping[str, tuple[tuple[float | None, ...], Callable[[str], bool]]] = {
  'fc_units': ((None, NetConfig.fc_units), head_specs.has_free_units),
  'dropout_keep_prob': ((NetConfig.dropout_keep_prob, 1.0), head_specs.has_dropout),
}


def check(model: str, head: str | None = None) -> None:
  """Raises ConfigError that lists the flags of the head without effect.

  Defaults pass even if they are given, since flag files for other networks may name them.

  Args:
    model: name of the network.
    head: name of its head; None for the network's own.
  """
  head = head or specs.get(model).head
  unused = [
    name
    for name, (neutral, is_used) in _USES.items()
    if name in flags.FLAGS and flags.FLAGS[name].value not in neutral and not is_used(head)
  ]
  if not unused:
    return
  given = ', '.join(f'--{name}={flags.FLAGS[name].value}' for name in unused)
  fitting = [other for other in head_specs.HEADS if all(_USES[name][1](other) for name in unused)]
  wayout = f', or give --head={" or ".join(fitting)}' if 'head' in flags.FLAGS else ''
  it = 'it' if len(unused) == 1 else 'them'
  raise ConfigError(f'{given}: no effect on {model}, whose head is {head}. Leave {it} out{wayout}.')


def check_trunk(flag: str, *others: str) -> None:
  """Raises ConfigError that lists the flags of the head among `others` which are given.

  Args:
    flag: flag by which there is no head, as it is written.
    *others: names of flags of the head.
  """
  given = [f'--{name}' for name in others if flags.FLAGS[name].present]
  if given:
    raise ConfigError(f'{", ".join(given)}: no effect with {flag}, which leaves the head out.')
