"""Fails when TensorFlow or tf_slim changes which names `vgg_slim.compat` has to restore."""

import ast
import importlib
import pathlib
import types

import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import aliases, slim, tf, views

ROOT = pathlib.Path(slim.__file__).parent


def imported_modules(tree):
  """TensorFlow's modules by the variable that a file of tf_slim binds them to."""
  modules = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('tensorflow'):
      for alias in node.names:
        value = views.find(f'{node.module}.{alias.name}')
        if isinstance(value, types.ModuleType):
          modules[alias.asname or alias.name] = value
  return modules


def unresolved_names(path):
  """(module of TensorFlow, name) of everything that the file uses and TensorFlow lacks."""
  tree = ast.parse(path.read_text())
  modules = imported_modules(tree)
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      module = modules.get(node.value.id)
      if module and not hasattr(module, node.attr):
        yield module.__name__, node.attr


def test_the_table_lists_exactly_the_names_that_tensorflow_lacks():
  lacking = set()
  for path in ROOT.rglob('*.py'):
    if not path.name.endswith('_test.py'):
      user = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
      lacking |= {(*name, user) for name in unresolved_names(path)}
  table = {(f'tensorflow.python.{a.module}', a.name, u) for a in aliases.ALIASES for u in a.users}
  assert table == lacking


@pytest.mark.parametrize('alias', aliases.ALIASES, ids=lambda alias: alias.name)
def test_users_see_the_name_in_its_old_module_and_tensorflow_does_not(alias):
  module = importlib.import_module(f'tensorflow.python.{alias.module}')
  assert not hasattr(module, alias.name)
  home = views.find(f'tensorflow.python.{alias.home}')
  for user in alias.users:
    variables = vars(importlib.import_module(f'tf_slim.{user}')).values()
    seen = [
      each
      for each in variables
      if isinstance(each, views.ModuleView) and each.__name__ == module.__name__
    ]
    assert [getattr(each, alias.name) for each in seen] == [home] * len(seen)
    assert seen


def test_gradients_are_multiplied_and_clipped():
  # d(a + b)/da = d(a + b)/db = 1; b's gradient times 3 is clipped to 2, so that with a rate of
  # 0.5 a falls by 0.5 and b by 1.
  with graph_session() as session:
    a, b = tf.Variable(1.0, name='a'), tf.Variable(1.0, name='b')
    tf.train.create_global_step()
    train = slim.learning.create_train_op(
      a + b,
      tf.train.GradientDescentOptimizer(0.5),
      clip_gradient_norm=2,
      gradient_multipliers={'b': 3.0},
    )
    session.run(tf.global_variables_initializer())
    session.run(train)
    np.testing.assert_allclose(session.run([a, b]), [0.5, 0.0], rtol=1e-6)


def test_streaming_metrics_count():
  with graph_session() as session:
    value, update = slim.metrics.streaming_accuracy(tf.constant([0, 1, 1, 1]), [0, 1, 0, 1])
    session.run(tf.local_variables_initializer())
    session.run(update)
    assert session.run(value) == 0.75


def test_clustering_losses_load_sklearn_when_they_are_called():
  with graph_session() as session:
    embeddings = tf.constant([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])
    labels = tf.constant([0, 0, 1, 1])
    loss = slim.losses.metric_learning.cluster_loss(labels, embeddings, 1.0)
    assert session.run(loss) >= 0
