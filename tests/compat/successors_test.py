import re

import pytest

from vgg_slim.commands import installation
from vgg_slim.compat import contrib, facade, successors

SEEN = facade.Facade(graph_mode=True)


@pytest.mark.parametrize('name', successors.NO_SUCCESSOR)
def test_names_without_a_successor_are_indeed_not_there(name):
  module, _, attribute = f'tensorflow.{name}'.rpartition('.')
  assert type(getattr(SEEN.module(module), attribute)).__name__ == 'Absent'


def test_parts_share_the_way_of_the_whole():
  way = successors.nearest_way('contrib.quantize.create_eval_graph')
  assert way == successors.NO_SUCCESSOR['contrib.quantize']
  assert successors.nearest_way('contrib.slim.conv2d') is None


def test_replaced_modules_are_in_the_table_of_contrib():
  assert set(successors.CONTRIB_REPLACEMENTS) <= set(contrib.MODULES)


def test_commands_that_are_named_exist():
  named = set(re.findall(r'tools/([a-z_]+)', ' '.join(successors.NO_SUCCESSOR.values())))
  assert named <= set(installation.commands())


def test_spelling():
  assert successors.spell('tensorflow.nn.relu') == 'tf.nn.relu'
  assert successors.spell('numpy.int') == 'np.int'
  private = 'tensorflow.python.framework.ops'
  assert successors.spell(private) == private
