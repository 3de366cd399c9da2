"""What a new run takes from a checkpoint, what it does not, and which of it is trained.

`plan_restore` sorts every variable of network and file into one list of the report, so that nothing
is restored, or left out, in silence.
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
from vgg_slim.nets.vgg_specs import VGG
from vgg_slim.ops.scopes import is_under
from vgg_slim.weights.foreign import is_bookkeeping

Shapes = Mapping[str, Sequence[int]]

# What the paper takes from net A into the deeper ones (arXiv:1409.1556, 3.1): its first four
# convolutions and the three fully-connected layers. Those of the same name have the same shape.
_NET_A_LAYERS = (
  *('conv1/conv1_1', 'conv2/conv2_1', 'conv3/conv3_1', 'conv3/conv3_2'),
  *('fc6', 'fc7', 'fc8'),
)


@dataclasses.dataclass(frozen=True)
class RestorePlan:
  """Every variable of network and file by name, each in one list.

  Attributes:
    matched: name in the network -> name in the file.
    excluded: left at their initial value because a flag says so.
    clashes: 'name: file [..], network [..]'.
    initial: not in the file, left at their initial value.
    unused: in the file, not in the network.
  """

  matched: dict[str, str]
  excluded: tuple[str, ...]
  clashes: tuple[str, ...]
  initial: tuple[str, ...]
  unused: tuple[str, ...]

  def text(self) -> str:
    """All names under their counts."""
    sections = (
      ('restored', tuple(self.matched)),
      ('excluded, left at their initial value', self.excluded),
      ('shape clash', self.clashes),
      ('not in the file, left at their initial value', self.initial),
      ('in the file, not used', self.unused),
    )
    lines = []
    for title, names in sections:
      lines += [f'{title}: {len(names)}', *(f'  {name}' for name in names)]
    return '\n'.join(lines)


def build_warm_start(
  variables: Sequence[tf.Variable], spec: NetSpec, fine_tune: FineTuneConfig
) -> tuple[RestorePlan, tf.train.Saver]:
  """Plans the restore and adds its operations to the default graph.

  Args:
    variables: of the network, batch-norm statistics included.
    spec: the network's row.
    fine_tune: with a checkpoint.

  Returns:
    The plan, and a saver that restores exactly what the plan matched.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not give what the flags promise.
    ConfigError: a scope that matches nothing.
  """
  by_name = {variable.op.name: variable for variable in variables}
  shapes = {name: variable.shape.as_list() for name, variable in by_name.items()}
  checkpoint = fine_tune.checkpoint_path
  plan = plan_restore(shapes, search.shapes(checkpoint), spec, fine_tune)
  check_plan(plan, checkpoint, spec, fine_tune)
  return plan, tf.train.Saver({source: by_name[name] for name, source in plan.matched.items()})


def plan_restore(
  variables: Shapes, file_shapes: Shapes, spec: NetSpec, fine_tune: FineTuneConfig
) -> RestorePlan:
  """Compares the network's variables with a checkpoint's.

  Args:
    variables: shapes of the network's variables by name, without the optimiser's.
    file_shapes: shapes of all that the checkpoint holds.
    spec: the network's row, for its head and scope.
    fine_tune: which scopes are excluded, whether the head is new, whether net A is the source.

  Raises:
    ConfigError: a scope that matches no variable; the nearest is suggested.
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
  clashes = [
    f'{name}: file {list(file_shapes[sources[name]])}, network {list(variables[name])}'
    for name in wanted
    if sources[name] in file_shapes and name not in matched
  ]
  absent = [name for name in wanted if sources[name] not in file_shapes]
  absent += [name for name in variables if name not in excluded and name not in sources]
  taken = {sources[name] for name in wanted}
  unused = [name for name in file_shapes if name not in taken and not is_bookkeeping(name)]
  return RestorePlan(matched, tuple(excluded), tuple(clashes), tuple(absent), tuple(sorted(unused)))


def _new_layers(variables: Shapes, file_shapes: Shapes, spec: NetSpec) -> list[str]:
  """Scopes of a new head: the last layer, and what a trunk alone lacks of the others."""
  *hidden, last = (f'{spec.scope}/{layer}' for layer in spec.fc_scopes)
  in_net, in_file = (
    {scope for scope in hidden if any(is_under(name, [scope]) for name in names)}
    for names in (variables, file_shapes)
  )
  return [*sorted(in_net - in_file), last]


def check_plan(
  plan: RestorePlan, checkpoint: str, spec: NetSpec, fine_tune: FineTuneConfig
) -> None:
  """Raises CheckpointError where training would not start from what the flags promise.

  That is: a shape clash, nothing restored at all, or a variable that the file lacks although
  neither --ignore_missing_vars nor --from_net_a expects that.
  """
  head = f'{spec.scope}/{spec.fc_scopes[-1]}/'
  if plan.clashes:
    only_head = all(clash.startswith(head) for clash in plan.clashes)
    hint = ' It has other classes: give --new_head to train a new last layer.' if only_head else ''
    raise CheckpointError(f'{checkpoint} does not fit: {"; ".join(plan.clashes)}.{hint}')
  if not plan.matched:
    raise CheckpointError(
      f'{checkpoint} holds nothing of {spec.name}; it has {_some(plan.unused)}.'
    )
  if plan.initial and not (fine_tune.ignore_missing_vars or fine_tune.from_net_a):
    raise CheckpointError(
      f'{checkpoint} lacks {len(plan.initial)} variables: {_some(plan.initial)}. Give '
      '--ignore_missing_vars to start them afresh.'
    )


def check_contract(config: TrainConfig) -> None:
  """Raises CheckpointError where the contract of the checkpoint that a run starts from, if it has
  one, speaks of other pixels, or of other classes although the last layer is kept.
  """
  fine_tune, preprocessing = config.fine_tune, config.preprocessing
  checkpoint = fine_tune.checkpoint_path
  contract = find_contract(checkpoint)
  if contract is None:
    return
  check_preprocessing(contract, preprocessing.rgb_mean, preprocessing.pixel_scale, checkpoint)
  spec = specs.get(config.net.model)
  last_layer = f'{spec.scope}/{spec.fc_scopes[-1]}'
  is_kept = not fine_tune.new_head and not is_under(last_layer, fine_tune.checkpoint_exclude_scopes)
  if is_kept and not fine_tune.ignore_class_names:
    hint = 'Give --new_head to train a new last layer'
    if contract.num_classes == config.net.num_classes:
      hint += ', or --ignore_class_names if they are the same under other names'
    check_class_names(contract, config.class_names, checkpoint, f'{hint}.')


def check_scopes(flag: str, scopes: Iterable[str], names: Iterable[str]) -> None:
  """Raises ConfigError that lists every scope under which there is no variable."""
  names = list(names)
  known = {
    '/'.join(parts[: i + 1]) for parts in (n.split('/') for n in names) for i in range(len(parts))
  }
  problems = []
  for scope in scopes:
    if not any(is_under(name, [scope]) for name in names):
      ending = sorted(k for k in known if k.endswith(f'/{scope}'))
      near = ending or difflib.get_close_matches(scope, known, n=1)
      problems.append(f'{scope!r}' + (f' (did you mean {near[0]!r}?)' if near else ''))
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
