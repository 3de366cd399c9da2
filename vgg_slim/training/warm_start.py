"""Warm start: what a new run restores from a checkpoint, and what it does not.

`plan_restore` sorts every variable of the network and of the file into one list of the report, so
that nothing is restored or left out silently.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

from vgg_slim.checkpoints import search
from vgg_slim.checkpoints.contract import check_class_names, check_preprocessing, find_contract
from vgg_slim.compat import tf
from vgg_slim.configs.config import FineTuneConfig, TrainConfig
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.nets.vgg import VGG
from vgg_slim.scopes import is_under
from vgg_slim.weights.foreign import is_bookkeeping
from vgg_slim.wording import counted, listed

Shapes = Mapping[str, Sequence[int]]

_SHOWN = 5  # names of each list of the report

# Layers of net A that initialize the deeper networks (arXiv:1409.1556, 3.1): the first four
# convolutions and the three fully-connected layers. Layers of the same name have the same shape.
_NET_A_LAYERS = (
  *('conv1/conv1_1', 'conv2/conv2_1', 'conv3/conv3_1', 'conv3/conv3_2'),
  *('fc6', 'fc7', 'fc8'),
)


@dataclasses.dataclass(frozen=True)
class RestorePlan:
  """Names of all variables of the network and of the file, each in exactly one list.

  Attributes:
    matched: variables to restore: name in the network -> name in the file.
    excluded: variables that keep their initial values because a flag excludes them.
    mismatches: variables whose shapes differ, as 'name: file [..], network [..]'.
    initial: variables that are not in the file and keep their initial values.
    unused: variables that are in the file but not in the network.
  """

  matched: dict[str, str]
  excluded: tuple[str, ...]
  mismatches: tuple[str, ...]
  initial: tuple[str, ...]
  unused: tuple[str, ...]

  def text(self) -> str:
    """The counts, and the first names of what is not restored."""
    sections = (
      ('excluded, left at their initial value', self.excluded),
      ('shape mismatch', self.mismatches),
      ('not in the file, left at their initial value', self.initial),
      ('in the file, not used', self.unused),
    )
    lines = [f'restored: {counted(len(self.matched), "variable")}']
    for title, names in sections:
      if names:
        lines.append(f'{title}: {counted(len(names), "variable")}: {listed(names, _SHOWN)}')
    return '\n'.join(lines)


def build_warm_start(
  variables: Sequence[tf.Variable], spec: NetSpec, fine_tune: FineTuneConfig
) -> tuple[RestorePlan, tf.train.Saver]:
  """Plans the restore and adds its operations to the default graph.

  Args:
    variables: variables of the network, including batch-norm statistics.
    spec: specification of the network.
    fine_tune: config with a `checkpoint_path`.

  Returns:
    The plan, and a saver that restores exactly what the plan matched.

  Raises:
    CheckpointError: the checkpoint cannot be read, or does not hold what the flags ask for.
    ConfigError: a scope matches no variable.
  """
  by_name = {variable.op.name: variable for variable in variables}
  shapes = {name: variable.shape.as_list() for name, variable in by_name.items()}
  checkpoint = _source(fine_tune)
  plan = plan_restore(shapes, search.shapes(checkpoint), spec, fine_tune)
  check_plan(plan, checkpoint, spec, fine_tune)
  return plan, tf.train.Saver({source: by_name[name] for name, source in plan.matched.items()})


def plan_restore(
  variables: Shapes, file_shapes: Shapes, spec: NetSpec, fine_tune: FineTuneConfig
) -> RestorePlan:
  """Compares the network's variables with a checkpoint's.

  Args:
    variables: shapes of the network's variables by name, without those of the optimizer.
    file_shapes: shapes of all variables of the checkpoint, by name.
    spec: specification of the network, for its head and scope.
    fine_tune: config that says which scopes are excluded, whether the head is new, and whether net
      A is the source.

  Raises:
    ConfigError: a scope matches no variable; the message suggests the nearest one.
  """
  excluded_scopes = list(fine_tune.checkpoint_exclude_scopes)
  if fine_tune.new_head:
    excluded_scopes += _new_layers(variables, file_shapes, spec)
  check_scopes('checkpoint_exclude_scopes', excluded_scopes, variables)
  sources = (
    _sources_in_net_a(variables, spec) if fine_tune.from_net_a else {v: v for v in variables}
  )
  excluded = [name for name in variables if is_under(name, excluded_scopes)]
  wanted = [name for name in variables if name not in excluded and name in sources]
  matched = {
    name: sources[name]
    for name in wanted
    if sources[name] in file_shapes and list(file_shapes[sources[name]]) == list(variables[name])
  }
  mismatches = [
    f'{name}: file {list(file_shapes[sources[name]])}, network {list(variables[name])}'
    for name in wanted
    if sources[name] in file_shapes and name not in matched
  ]
  absent = [name for name in wanted if sources[name] not in file_shapes]
  absent += [name for name in variables if name not in excluded and name not in sources]
  used = {sources[name] for name in wanted}
  unused = [name for name in file_shapes if name not in used and not is_bookkeeping(name)]
  return RestorePlan(
    matched, tuple(excluded), tuple(mismatches), tuple(absent), tuple(sorted(unused))
  )


def _new_layers(variables: Shapes, file_shapes: Shapes, spec: NetSpec) -> list[str]:
  """Scopes of a new head: the last layer, and hidden layers that a trunk's checkpoint lacks."""
  *hidden, last = (f'{spec.scope}/{layer}' for layer in spec.fc_scopes)
  in_net, in_file = (
    {scope for scope in hidden if any(is_under(name, [scope]) for name in names)}
    for names in (variables, file_shapes)
  )
  return [*sorted(in_net - in_file), last]


def check_plan(
  plan: RestorePlan, checkpoint: str, spec: NetSpec, fine_tune: FineTuneConfig
) -> None:
  """Raises CheckpointError if training would not start from the weights that the flags ask for.

  These are the cases: shapes differ, nothing is restored at all, or the file lacks a variable and
  neither --ignore_missing_vars nor --from_net_a allows that.
  """
  head = f'{spec.scope}/{spec.fc_scopes[-1]}/'
  if plan.mismatches:
    only_head = all(mismatch.startswith(head) for mismatch in plan.mismatches)
    hint = (
      ' It has other classes: give --new_head to train a new last layer.'
      if only_head
      else _other_model(checkpoint, spec, fine_tune)
    )
    raise CheckpointError(f'{checkpoint} does not fit: {"; ".join(plan.mismatches)}.{hint}')
  if not plan.matched:
    raise CheckpointError(
      f'{checkpoint} holds no variables of {spec.name}, only {_some(plan.unused)}.'
      f'{_other_model(checkpoint, spec, fine_tune)}'
    )
  if plan.initial and not (fine_tune.ignore_missing_vars or fine_tune.from_net_a):
    hint = _other_model(checkpoint, spec, fine_tune) or (
      ' Give --ignore_missing_vars to initialize them.'
    )
    raise CheckpointError(
      f'{checkpoint} lacks {len(plan.initial)} variables: {_some(plan.initial)}.{hint}'
    )


def _other_model(checkpoint: str, spec: NetSpec, fine_tune: FineTuneConfig) -> str:
  """Returns a sentence about the network of a checkpoint if its contract names another one."""
  if fine_tune.from_net_a:  # takes the weights of another network
    return ''
  contract = find_contract(checkpoint)
  if contract is None or specs.get(contract.network.model).name == spec.name:
    return ''
  return f' These are weights of {contract.network.model}: give --model={contract.network.model}.'


def check_contract(config: TrainConfig) -> None:
  """Raises CheckpointError if the contract of the initial checkpoint contradicts the run.

  The preprocessing has to be the same, and so have the classes if the last layer is kept. A
  checkpoint without a contract passes.
  """
  fine_tune = config.fine_tune
  checkpoint = _source(fine_tune)
  contract = find_contract(checkpoint)
  if contract is None:
    return
  check_preprocessing(contract, config.preprocessing, checkpoint)
  spec = specs.get(config.net.model)
  last_layer = f'{spec.scope}/{spec.fc_scopes[-1]}'
  is_kept = not fine_tune.new_head and not is_under(last_layer, fine_tune.checkpoint_exclude_scopes)
  if is_kept and not fine_tune.ignore_class_names:
    hint = 'Give --new_head to train a new last layer'
    if contract.network.num_classes == config.net.num_classes:
      hint += ', or --ignore_class_names if they are the same under other names'
    check_class_names(contract, config.class_names, checkpoint, f'{hint}.')


def _source(fine_tune: FineTuneConfig) -> str:
  if fine_tune.checkpoint_path is None:
    raise ConfigError('checkpoint_path is needed to start from other weights.')
  return fine_tune.checkpoint_path


def check_scopes(flag: str, scopes: Iterable[str], names: Iterable[str]) -> None:
  """Raises ConfigError with a list of all scopes that match no variable."""
  names = list(names)
  known = {
    '/'.join(parts[: i + 1]) for parts in (n.split('/') for n in names) for i in range(len(parts))
  }
  problems = []
  for scope in scopes:
    if not any(is_under(name, [scope]) for name in names):
      ending = sorted(k for k in known if k.endswith(f'/{scope}'))
      similar = ending or difflib.get_close_matches(scope, known, n=1)
      problems.append(f'{scope!r}' + (f' (did you mean {similar[0]!r}?)' if similar else ''))
  if problems:
    raise ConfigError(f'--{flag}: no variable is under {", ".join(problems)}.')


def _sources_in_net_a(variables: Shapes, spec: NetSpec) -> dict[str, str]:
  return {
    f'{spec.scope}/{layer}/{kind}': f'{VGG["vgg_a"].scope}/{layer}/{kind}'
    for layer in _NET_A_LAYERS
    for kind in ('weights', 'biases')
    if f'{spec.scope}/{layer}/{kind}' in variables
  }


def _some(names: Sequence[str]) -> str:
  return ', '.join(names[:4]) + (', ...' if len(names) > 4 else '')
