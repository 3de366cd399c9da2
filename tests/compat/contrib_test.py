import pytest

from vgg_slim.compat import contrib, views


@pytest.mark.parametrize(
  ('path', 'short'),
  [
    ('slim', 'slim'),
    ('slim.python.slim', 'slim'),
    ('slim.python.slim.nets.vgg', 'slim.nets.vgg'),
    ('layers.python.layers.layers', 'layers.layers'),
    ('framework.python.ops.variables', 'framework.variables'),
    ('framework.python.framework.checkpoint_utils', 'framework.checkpoint_utils'),
    ('learn.python.learn', 'learn'),
    ('data.python.ops', 'data'),
  ],
)
def test_normalize(path, short):
  assert contrib.normalize(path) == short


def test_parts_of_a_module_are_below_its_homes():
  assert contrib.bases('slim.python.slim.learning') == ('tf_slim.learning',)
  assert contrib.bases('nothing') is None
  assert contrib.bases('') == ()


@pytest.mark.parametrize(
  'path', sorted(home for homes in contrib.MODULES.values() for home in homes)
)
def test_homes_exist(path):
  assert views.find(path)


@pytest.mark.parametrize('path', sorted(contrib.NAMES.values()))
def test_names_exist(path):
  assert views.find(path)
