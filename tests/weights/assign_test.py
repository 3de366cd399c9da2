import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.weights import assign, names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.transform import Converted

SPEC = specs.get('vgg16')
SHAPES = {'conv1/conv1_1/weights': (3, 3, 3, 4), 'conv1/conv1_1/biases': (4,), 'fc8/biases': (2,)}


def compare(foreign_shapes, converted_shapes, trunk_only=False, shapes=SHAPES):
  arrays = {name: np.zeros(shape) for name, shape in foreign_shapes.items()}
  foreign = ForeignWeights('f', 'keras', arrays, skipped=('optimizer/*',))
  converted = Converted()
  for name, (shape, origin) in converted_shapes.items():
    converted.put(name, np.zeros(shape), origin)
  return assign.compare(SPEC, shapes, foreign, names.link(SPEC, foreign), converted, trunk_only)


def test_every_name_is_in_exactly_one_list_of_the_report():
  report = compare(
    {'block1_conv1/kernel': (3, 3, 3, 4), 'predictions/bias': (5,), 'gate/kernel': (2, 2)},
    {
      'conv1/conv1_1/weights': ((3, 3, 3, 4), 'block1_conv1/kernel'),
      'fc8/biases': ((5,), 'predictions/bias'),
    },
  )
  assert report.text() == (
    'matched: 1\n'
    '  vgg_16/conv1/conv1_1/weights [3, 3, 3, 4] <- block1_conv1/kernel [3, 3, 3, 4]\n'
    'missing in the file: 1\n'
    '  vgg_16/conv1/conv1_1/biases [4]\n'
    'unexpected in the file: 1\n'
    '  gate/kernel [2, 2]\n'
    'shape mismatch: 1\n'
    '  vgg_16/fc8/biases: file predictions/bias [5], network [2]\n'
    'not imported: head of the file: 0\n'
    'not imported: training state: 1\n'
    '  optimizer/*'
  )
  with pytest.raises(
    WeightMismatchError,
    match=r'do not fit vgg_d: 1 missing: .*; 1 unexpected: .*; 1 shape mismatch: .* Hint',
  ):
    assign.check(report, SPEC, 'Hint.')


def test_a_trunk_leaves_out_heads_but_not_convolutions():
  report = compare(
    {
      'block1_conv1/kernel': (3, 3, 3, 4),
      'block1_conv1/bias': (4,),
      'predictions/bias': (5,),
      'other/kernel': (7, 7),
      'block9_conv1/kernel': (3, 3, 4, 4),
      'block9_conv1/bias': (4,),
    },
    {
      'conv1/conv1_1/weights': ((3, 3, 3, 4), 'block1_conv1/kernel'),
      'conv1/conv1_1/biases': ((4,), 'block1_conv1/bias'),
    },
    trunk_only=True,
    shapes={name: SHAPES[name] for name in list(SHAPES)[:2]},
  )
  assert report.left_out == ('predictions/bias [5]', 'other/kernel [7, 7]')
  assert report.unexpected == ('block9_conv1/kernel [3, 3, 4, 4]', 'block9_conv1/bias [4]')


def test_a_long_list_is_shortened_in_the_message_only():
  shapes = {f'conv{i}/weights': (1,) for i in range(20)}
  report = compare({}, {}, shapes=shapes)
  assert len(report.missing) == 20
  with pytest.raises(WeightMismatchError, match=r'20 missing.*and 12 more \(see the report\)'):
    assign.check(report, SPEC)


def test_assignment_is_all_or_nothing():
  with graph_session() as session:
    a = tf.get_variable('a', [2])
    b = tf.get_variable('b', [3])
    wrong = {'a': np.zeros(2), 'b': np.zeros(4), 'c': np.zeros(1)}
    with pytest.raises(WeightMismatchError, match=r'unexpected c; b: array \[4\], variable \[3\]'):
      assign.assign(session, [a, b], wrong)
    with pytest.raises(tf.errors.FailedPreconditionError):
      session.run(a)  # not initialized yet
    assign.assign(session, [a, b], {'a': np.float32([1, 2]), 'b': np.float32([3, 4, 5])})
    np.testing.assert_array_equal(session.run(b), [3, 4, 5])
