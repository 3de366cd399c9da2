"""Names that tf_slim 1.1.0 uses in TensorFlow's modules, and where TensorFlow 2.21 keeps them.

Most are names that TensorFlow moved to private modules of their own. `restore` shows them to the
modules of tf_slim that use them, and to no other: TensorFlow's modules stay as they are.
"""

import importlib
from typing import NamedTuple

from vgg_slim.compat import views


class Alias(NamedTuple):
  """One name that has moved."""

  module: str  # below `tensorflow.python`, where tf_slim looks for it
  name: str
  home: str  # module below `tensorflow.python` that has it today, and its name there
  users: tuple[str, ...]  # modules below `tf_slim`


ALIASES = (
  Alias(
    'framework.ops',
    'IndexedSlices',
    'framework.indexed_slices.IndexedSlices',
    ('layers.optimizers', 'learning', 'training.training'),
  ),
  Alias(
    'framework.ops',
    'Tensor',
    'framework.tensor.Tensor',
    ('layers.optimizers', 'layers.rev_block_lib', 'layers.utils', 'learning'),
  ),
  Alias(
    'ops.array_ops',
    'stack',
    'ops.array_ops_stack.stack',
    ('data.tfexample_decoder', 'layers.layers', 'metrics.metric_ops'),
  ),
  Alias('ops.array_ops', 'unstack', 'ops.array_ops_stack.unstack', ('layers.layers',)),
  Alias(
    'ops.control_flow_ops',
    'Assert',
    'ops.control_flow_assert.Assert',
    ('metrics.histogram_ops',),
  ),
  Alias('ops.control_flow_ops', 'case', 'ops.control_flow_case.case', ('data.tfexample_decoder',)),
  Alias(
    'ops.control_flow_ops',
    'cond',
    'ops.cond.cond',
    ('data.tfexample_decoder', 'layers.utils', 'metrics.metric_ops'),
  ),
  Alias(
    'ops.control_flow_ops',
    'while_loop',
    'ops.while_loop.while_loop',
    ('losses.metric_learning',),
  ),
  Alias('ops.variable_scope', 'variable', 'ops.variable_v1.VariableV1', ('ops.variables',)),
)


def restore() -> None:
  """Shows each alias to the modules of tf_slim that use it."""
  shown: dict[tuple[str, str], dict[str, str]] = {}
  for alias in ALIASES:
    for user in alias.users:
      home = f'tensorflow.python.{alias.home}'
      shown.setdefault((user, alias.module), {})[alias.name] = home
  for (user, module), names in shown.items():
    real = importlib.import_module(f'tensorflow.python.{module}')
    variables = vars(importlib.import_module(f'tf_slim.{user}'))
    for variable in [name for name, value in variables.items() if value is real]:
      variables[variable] = views.with_names(real, names)


def show_sklearn() -> None:
  """Lets the clustering losses of tf_slim load scikit-learn when they are first called."""
  sklearn = views.ModuleView('sklearn.metrics', lambda name: views.find(f'sklearn.metrics.{name}'))
  losses = importlib.import_module('tf_slim.losses.metric_learning')
  vars(losses).update(HAS_SKLEARN=True, metrics=sklearn)
