"""What files of a script see; the real modules are not changed."""

import importlib

import numpy as np
import pytest

from vgg_slim.compat import absent, facade, numpy_names, slim, tf


@pytest.fixture(scope='module')
def seen():
  return facade.Facade(graph_mode=True, names=numpy_names.names(allow_pickle=False))


def test_names_of_tensorflow1_come_first_in_graph_mode(seen):
  view = seen.module('tensorflow')
  assert view.placeholder is tf.placeholder
  assert view.train.Saver is tf.train.Saver
  assert view.summary.scalar is tf.summary.scalar
  assert view.__version__ == tf.__version__


def test_names_of_tensorflow2_come_first_otherwise():
  tensorflow = importlib.import_module('tensorflow')
  view = facade.Facade(graph_mode=False).module('tensorflow')
  assert view.summary.scalar is tensorflow.summary.scalar is not tf.summary.scalar
  assert view.placeholder is tf.placeholder  # which TensorFlow 2 lacks
  assert view.compat.v1.summary.scalar is tf.summary.scalar


def test_names_of_early_versions(seen):
  view = seen.module('tensorflow')
  assert view.initialize_all_variables is not None
  assert view.pack is tf.stack
  assert view.train.SummaryWriter is tf.summary.FileWriter


@pytest.mark.parametrize(
  'path',
  [
    'tensorflow.contrib.slim',
    'tensorflow.contrib.layers',
    'tensorflow.contrib.layers.python.layers',
    'tensorflow.contrib.slim.python.slim.learning',
    'tensorflow.contrib.slim.python.slim.data.tfexample_decoder',
    'tensorflow.contrib.slim.nets',
    'tensorflow.contrib.slim.nets.resnet_v1',
    'tensorflow.contrib.framework.python.ops',
    'tensorflow.contrib.metrics.python.ops.metric_ops',
    'tensorflow.contrib.tensorboard.plugins.projector',
    'tensorflow.compat.v1.contrib.layers',
    'tensorflow.python.framework.ops',
    'tensorflow.python.platform',
    'tensorflow.nn',
    'numpy.random',
  ],
)
def test_modules(seen, path):
  assert dir(seen.module(path))


@pytest.mark.parametrize(
  ('module', 'name', 'home'),
  [
    ('contrib.slim', 'conv2d', slim.conv2d),
    ('contrib.layers', 'xavier_initializer', slim.xavier_initializer),
    ('contrib.layers', 'l2_regularizer', slim.l2_regularizer),
    ('contrib.layers.python.layers.regularizers', 'l2_regularizer', slim.l2_regularizer),
    ('contrib.framework', 'arg_scope', slim.arg_scope),
    ('contrib.framework', 'get_variables_by_name', slim.get_variables_by_name),
    ('contrib.framework.python.ops.arg_scope', 'arg_scope', slim.arg_scope),
    ('contrib.framework.python.ops.variables', 'model_variable', slim.model_variable),
    ('contrib.framework', 'get_or_create_global_step', slim.get_or_create_global_step),
    ('contrib.framework', 'list_variables', tf.train.list_variables),
    ('contrib.training', 'create_train_op', slim.training.create_train_op),
    ('contrib.metrics', 'streaming_mean', slim.metrics.streaming_mean),
    ('contrib.losses', 'log_loss', slim.losses.log_loss),
    ('contrib.data', 'Iterator', tf.data.Iterator),
    ('contrib.rnn', 'static_rnn', tf.nn.static_rnn),
    ('contrib.util', 'make_tensor_proto', tf.make_tensor_proto),
    ('contrib.stateless', 'stateless_random_uniform', tf.random.stateless_uniform),
  ],
)
def test_contrib(seen, module, name, home):
  view = seen.module('tensorflow')
  for part in module.split('.'):
    view = getattr(view, part)
  assert getattr(view, name) is home
  assert getattr(seen.module(f'tensorflow.{module}'), name) is home


@pytest.mark.parametrize(
  'name',
  [
    'framework.ops.Tensor',
    'framework.ops.IndexedSlices',
    'framework.ops.convert_to_tensor',
    'ops.array_ops.stack',
    'ops.control_flow_ops.cond',
    'ops.control_flow_ops.while_loop',
    'ops.control_flow_ops.with_dependencies',
    'ops.variable_scope.variable',
    'ops.rnn_cell_impl.BasicLSTMCell',
    'training.moving_averages.assign_moving_average',
  ],
)
def test_private_names(seen, name):
  module, _, attribute = name.rpartition('.')
  assert getattr(seen.module(f'tensorflow.python.{module}'), attribute)


def test_real_modules_are_not_changed(seen):
  assert seen.module('tensorflow').contrib.slim.conv2d
  assert seen.module('tensorflow.python.framework.ops').Tensor
  ops = importlib.import_module('tensorflow.python.framework.ops')
  assert not hasattr(importlib.import_module('tensorflow'), 'contrib')
  assert not hasattr(ops, 'Tensor')


def test_what_has_no_successor_is_an_error_only_when_it_is_called(seen):
  quantize = seen.module('tensorflow.contrib.quantize')
  assert seen.module('tensorflow').contrib.quantize.create_eval_graph
  with pytest.raises(absent.NoSuccessorError, match='tf.contrib.quantize.create_training_graph'):
    quantize.create_training_graph(quant_delay=3)


@pytest.mark.parametrize('name', ['contrib.nothing', 'nothing', 'train.nothing'])
def test_unknown_names(seen, name):
  view = seen.module('tensorflow')
  *modules, last = name.split('.')
  for module in modules:
    view = getattr(view, module)
  with pytest.raises(AttributeError, match=f"no attribute '{last}' in TensorFlow 2.21"):
    getattr(view, last)


def test_an_unknown_module(seen):
  with pytest.raises(ModuleNotFoundError, match="No module named 'tensorflow.contrib.nothing'"):
    seen.module('tensorflow.contrib.nothing')


def test_numpy_has_its_removed_names(seen):
  view = seen.module('numpy')
  assert (view.int, view.bool, view.float_, view.lib.pad) == (int, bool, np.float64, np.pad)
  assert view.array is np.array
  assert not hasattr(np, 'int')
  with pytest.raises(AttributeError, match="^module 'numpy' has no attribute 'nothing'$"):
    view.nothing  # noqa: B018


def test_matplotlib_has_its_colormaps_by_function(seen):
  assert seen.module('matplotlib.cm').get_cmap('Set1').name == 'Set1'


def test_lookups_are_noted():
  names = []
  view = facade.Facade(graph_mode=True, note=names.append).module('tensorflow')
  assert view.contrib.slim.conv2d
  assert names == [
    'tensorflow.contrib',
    'tensorflow.contrib.slim',
    'tensorflow.contrib.slim.conv2d',
  ]


def test_home_of_a_private_name():
  home = 'tensorflow.python.ops.cond.cond'
  assert facade.home('tensorflow.python.ops.control_flow_ops.cond') == home
  assert facade.home('tensorflow.python.framework.ops.Graph') is None
  assert facade.home('tensorflow.placeholder') is None
