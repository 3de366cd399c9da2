import pytest

pytest.importorskip('lib2to3', reason='Python 3.13 has no lib2to3')

import numpy as np

from vgg_slim.compat import python2, tf

pytestmark = pytest.mark.filterwarnings('ignore:lib2to3:DeprecationWarning')


def run(source):
  namespace = dict(python2.NAMESPACE)
  exec(compile(python2.translate(source, 'script.py'), 'script.py', 'exec'), namespace)
  return namespace


def test_names_and_syntax(capsys):
  names = run(
    """import cPickle
data = cPickle.dumps(3, 0)
print 'sum', sum(xrange(4))
items = {'a': 1}.items()
items.sort()
try:
  raise ValueError, 'wrong'
except ValueError, error:
  print error
"""
  )
  assert capsys.readouterr().out == 'sum 6\nwrong\n'
  assert names['items'] == [('a', 1)]
  assert names['data'] == b'I3\n.'


def test_integers_are_divided_as_integers():
  names = run('a = 7 / 2\nb = 7.0 / 2\nc = [9]\nc[0] /= 2\nd = 5\nd /= 2\n')
  assert (names['a'], names['b'], names['c'], names['d']) == (3, 3.5, [4], 2)


def test_division_of_the_future():
  assert run('from __future__ import division\na = 7 / 2\n')['a'] == 3.5


def test_arrays_and_tensors_are_divided_by_their_type():
  divide = python2.classic_division
  np.testing.assert_array_equal(divide(np.array([7, 8]), 2), [3, 4])
  np.testing.assert_array_equal(divide(np.array([7.0]), 2), [3.5])
  with tf.Graph().as_default():
    assert divide(tf.constant(7), 2).dtype == tf.int32
    assert divide(tf.constant(7.0), 2.0).dtype == tf.float32
  assert divide(tf.Dimension(7), 2).value == 3


def test_what_is_neither_python_2_nor_3():
  with pytest.raises(SyntaxError, match='script.py'):
    run('print (')
