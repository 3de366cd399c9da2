"""`tf.contrib` of TensorFlow 1: where today's packages have its modules and names.

The modules that image classification uses come from tf_slim, which was `tf.contrib.slim`, `layers`,
`framework`, `training`, `metrics` and `losses`. What has no successor is in `successors`.
"""

ROOT = 'tensorflow.contrib'

# Module below `tf.contrib` -> modules and classes whose names it shows, in the order of search.
MODULES: dict[str, tuple[str, ...]] = {
  'slim': ('tf_slim',),
  'slim.training': ('tf_slim.training.training',),
  'layers': (
    'tf_slim.layers',
    'tf_slim.layers.layers',
    'tf_slim.layers.initializers',
    'tf_slim.layers.regularizers',
    'tensorflow.compat.v1.feature_column',
  ),
  'layers.feature_column': ('tensorflow.compat.v1.feature_column',),
  'framework': (
    'tf_slim.ops.arg_scope',
    'tf_slim.ops.variables',
    'tf_slim.ops.framework_ops',
    'tensorflow.compat.v1.train',
    'tensorflow.python.framework.tensor_util',
  ),
  # Modules of the same names as functions above.
  'framework.python.ops.arg_scope': ('tf_slim.ops.arg_scope',),
  'framework.python.ops.variables': ('tf_slim.ops.variables',),
  'framework.ops': ('tf_slim.ops.framework_ops',),
  'framework.checkpoint_utils': ('tensorflow.python.training.checkpoint_utils',),
  'framework.tensor_util': ('tensorflow.python.framework.tensor_util',),
  'framework.graph_util': ('tensorflow.compat.v1.graph_util',),
  'framework.nest': ('tensorflow.compat.v1.nest',),
  'training': (
    'vgg_slim.compat.contrib_parts',
    'tf_slim.training.training',
    'tf_slim.training.evaluation',
  ),
  'training.training': ('tf_slim.training.training',),
  'training.evaluation': ('tf_slim.training.evaluation',),
  'training.hparam': ('vgg_slim.compat.contrib_parts',),
  'metrics': ('tf_slim.metrics', 'tf_slim.metrics.metric_ops'),
  'losses': ('tf_slim.losses', 'tf_slim.losses.loss_ops'),
  'losses.metric_learning': ('tf_slim.losses.metric_learning',),
  'data': (
    'vgg_slim.compat.old_datasets',
    'tensorflow.compat.v1.data',
    'tensorflow.compat.v1.data.experimental',
  ),
  'data.dataset_ops': ('vgg_slim.compat.old_datasets', 'tensorflow.compat.v1.data'),
  'learn': (),
  'util': ('tensorflow.compat.v1', 'tensorflow.python.framework.tensor_util'),
  'rnn': (
    'tensorflow.compat.v1.nn.rnn_cell',
    'tensorflow.compat.v1.nn',
    'tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl',
  ),
  'distribute': ('tensorflow.compat.v1.distribute',),
  'cluster_resolver': ('tensorflow.compat.v1.distribute.cluster_resolver',),
  'lookup': ('tensorflow.compat.v1.lookup', 'tensorflow.python.ops.lookup_ops'),
  'lite': ('tensorflow.compat.v1.lite',),
  'keras': ('tensorflow.compat.v1.keras',),
  'autograph': ('tensorflow.compat.v1.autograph',),
  'saved_model': ('tensorflow.compat.v1.saved_model',),
  'stateless': ('tensorflow.compat.v1.random',),
  'tensorboard': (),
  'tensorboard.plugins': ('tensorboard.plugins',),
  'tensorboard.plugins.projector': ('tensorboard.plugins.projector',),
  'tfprof': (),
  'tfprof.model_analyzer': ('tensorflow.python.profiler.model_analyzer',),
  'eager': ('tensorflow.compat.v1',),
}

# Names that are spelled otherwise today.
NAMES: dict[str, str] = {
  'learn.ModeKeys': 'vgg_slim.compat.contrib_parts.ModeKeys',
  'eager.Variable': 'tensorflow.compat.v1.Variable',
  'util.constant_value': 'tensorflow.python.framework.tensor_util.constant_value',
  'stateless.stateless_random_uniform': 'tensorflow.random.stateless_uniform',
  'stateless.stateless_random_normal': 'tensorflow.random.stateless_normal',
}


def normalize(path: str) -> str:
  """Returns the short name of a module: 'slim.python.slim.nets' is 'slim.nets'.

  contrib's packages kept their sources in `python/NAME`, `python/ops` and `python/framework`.

  Args:
    path: dotted path below `tf.contrib`.
  """
  names, short = path.split('.'), []
  for i, name in enumerate(names):
    after_python = i > 0 and names[i - 1] == 'python'
    is_folder = after_python and name in (names[0], 'ops', 'framework')
    if name != 'python' and not is_folder:
      short.append(name)
  return '.'.join(short)


def is_module(path: str) -> bool:
  """Whether a dotted path below `tf.contrib` is that of a module in the table."""
  return path in MODULES or normalize(path) in MODULES


def bases(path: str) -> tuple[str, ...] | None:
  """Returns the modules that stand for `tf.contrib.PATH`, or None if there are none.

  Args:
    path: dotted path below `tf.contrib`, '' for `tf.contrib` itself.
  """
  if not path or path in MODULES:
    return MODULES.get(path, ())
  names = normalize(path).split('.')
  for length in range(len(names), 0, -1):
    homes = MODULES.get('.'.join(names[:length]))
    if homes:
      rest = ''.join(f'.{name}' for name in names[length:])
      return tuple(home + rest for home in homes)
  return None
