"""Compares the arrays of a file with the network's variables; then assigns all of them, or none."""

import dataclasses
from collections.abc import Collection, Iterable

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.weights import names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot
from vgg_slim.weights.recognition import variable_shapes
from vgg_slim.weights.transform import Converted
from vgg_slim.wording import counted, listed

_SHOWN = 8  # names in the summary; the report lists all of them


@dataclasses.dataclass(frozen=True)
class Report:
  """The result for every array, as lines of text.

  Attributes:
    matched: our variables that the file provides.
    missing: our variables that the file lacks.
    unexpected: arrays of the file that belong to no variable.
    mismatches: variables whose shape differs in the file.
    left_out: arrays that are left out: the head for a trunk, the rest of a larger network, and what
      the user excludes.
    skipped: training state in the file, which is not read.
  """

  matched: tuple[str, ...]
  missing: tuple[str, ...]
  unexpected: tuple[str, ...]
  mismatches: tuple[str, ...]
  left_out: tuple[str, ...]
  skipped: tuple[str, ...]

  @property
  def fits(self) -> bool:
    """Whether every variable is matched and nothing is left over."""
    return not (self.missing or self.unexpected or self.mismatches)

  def text(self) -> str:
    """All names, grouped under headings with their counts."""
    sections = (
      ('matched', self.matched),
      ('missing in the file', self.missing),
      ('unexpected in the file', self.unexpected),
      ('shape mismatch', self.mismatches),
      ('not imported: left out', self.left_out),
      ('not imported: training state', self.skipped),
    )
    lines = []
    for title, entries in sections:
      lines += [f'{title}: {len(entries)}', *(f'  {entry}' for entry in entries)]
    return '\n'.join(lines)

  def summary(self, source: str = 'the file', done: str = 'imported') -> str:
    """The counts, and the first names of what is not taken over.

    Args:
      source: what the values come from.
      done: what is done with them.
    """
    lines = [f'values taken from {source}: {counted(len(self.matched), "variable")}']
    for title, entries in (
      (f'not {done}', self.left_out),
      (f'not {done}, training state', self.skipped),
    ):
      if entries:
        lines.append(f'{title}: {counted(len(entries), "array")}: {listed(entries, _SHOWN)}')
    return '\n'.join(lines)

  def problems(self) -> str:
    """The counts of what does not fit, each with its first name."""
    return '; '.join(
      f'{len(entries)} {title}: {listed(entries, 1)}'
      for title, entries in (
        ('missing', self.missing),
        ('unexpected', self.unexpected),
        ('shape mismatch', self.mismatches),
      )
      if entries
    )


def compare(
  network: Network,
  foreign: ForeignWeights,
  slots: dict[str, Slot],
  converted: Converted,
  excluded: Collection[str] = (),
) -> Report:
  """Puts every variable and every array of the file into exactly one list of the report.

  For a trunk, all arrays but those of a trunk may be left out: if every variable is matched, the
  file may hold a larger network.

  Args:
    network: identity of our network.
    foreign: contents of the file.
    slots: slots of the file's arrays, by foreign name.
    converted: our variables, converted from the file.
    excluded: names of arrays that the user leaves out.
  """
  spec, shapes = specs.get(network.model), variable_shapes(network)
  matched, mismatches = [], []
  for name, array in converted.arrays.items():
    origins = converted.origins[name]
    given = ' + '.join(f'{o} {list(foreign.arrays[o].shape)}' for o in origins) or 'constant'
    if name in shapes and array.shape == tuple(shapes[name]):
      matched.append(f'{spec.scope}/{name} {list(array.shape)} <- {given}')
    else:
      expected = list(shapes.get(name, ()))
      mismatches.append(f'{spec.scope}/{name}: file {given}, network {expected}')
  missing = [f'{spec.scope}/{n} {list(s)}' for n, s in shapes.items() if n not in converted.arrays]
  used = {origin for origins in converted.origins.values() for origin in origins}
  rest = [name for name in foreign.arrays if name not in used]
  left_out = [name for name in rest if name in excluded]
  if network.is_trunk:
    unexpected = _find_trunk_arrays(spec, rest, slots)
    left_out = [name for name in rest if name not in unexpected or name in excluded]
  unexpected = [name for name in rest if name not in left_out]

  def with_shapes(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(f'{name} {list(foreign.arrays[name].shape)}' for name in entries)

  return Report(
    tuple(matched),
    tuple(missing),
    with_shapes(unexpected),
    tuple(mismatches),
    with_shapes(left_out),
    foreign.skipped,
  )


def _find_trunk_arrays(spec: NetSpec, rest: list[str], slots: dict[str, Slot]) -> list[str]:
  """Returns the arrays that belong to the file's trunk, but not to ours.

  They have slots in our trunk, or names of the trunk of a similar network. As many unknown batch
  norms as there are convolutions follow those, although our network has none.
  """
  in_trunk = [name for name in rest if name in slots and slots[name].layer not in spec.fc_scopes]
  unknown = [name for name in rest if name not in slots]
  in_trunk += names.in_trunks_of_family(spec, unknown)
  norms = [name for name in unknown if names.NORM_PARTS.get(names.split(name)[1]) == 'mean']
  if spec.batch_norm is None and len(norms) >= len(names.trunk_convolutions(spec)):
    in_trunk += norms
  return in_trunk


def assign(
  session: tf.Session, variables: Iterable[tf.Variable], values: dict[str, np.ndarray]
) -> None:
  """Assigns to every variable the array of the same name.

  Raises:
    WeightMismatchError: a variable has no array of its shape, or an array has no variable; all are
      listed, and nothing is assigned.
  """
  variables = list(variables)
  shapes = {variable.op.name: tuple(variable.shape.as_list()) for variable in variables}
  problems = [f'missing {name} {list(shapes[name])}' for name in sorted(set(shapes) - set(values))]
  problems += [f'unexpected {name}' for name in sorted(set(values) - set(shapes))]
  problems += [
    f'{name}: array {list(values[name].shape)}, variable {list(shape)}'
    for name, shape in shapes.items()
    if name in values and values[name].shape != shape
  ]
  if problems:
    raise WeightMismatchError(f'The arrays do not fit the graph: {"; ".join(problems)}.')
  # One run for all variables: each separate run costs 20 ms in the graph of a ResNet50.
  feeds = {variable.initializer.inputs[1]: values[variable.op.name] for variable in variables}
  session.run([variable.initializer for variable in variables], feeds)
