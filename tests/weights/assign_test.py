import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.weights import assign, linking, transform
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.recognition import variable_shapes

NETWORK = Network(2, 'vgg_a@4', image_size=32, fc_units=3)
TRUNK = Network(None, 'vgg_a@4', image_size=32)


def compare(network, changes, excluded=()):
  """Compares a file that holds all variables of NETWORK, except for `changes` of shapes."""
  shapes = {f'vgg_a/{name}': shape for name, shape in variable_shapes(NETWORK).items()} | changes
  arrays = {name: np.zeros(shape) for name, shape in shapes.items() if shape is not None}
  whole = ForeignWeights('f', 'slim', arrays, skipped=('global_step',))
  foreign = whole.without(excluded)
  slots = linking.link(specs.get(network.model), foreign).slots
  converted = transform.convert(network, foreign, slots, transform.InputChange())
  return assign.compare(network, whole, slots, converted, excluded)


def test_every_name_is_in_exactly_one_list_of_the_report():
  report = compare(
    NETWORK,
    {
      'vgg_a/conv1/conv1_1/biases': None,
      'vgg_a/fc7/biases': (5,),
      'gate/kernel': (2, 2, 2),
    },
  )
  lines = report.text().splitlines()
  assert lines[0] == 'matched: 20'
  assert lines[1] == (
    '  vgg_a/conv1/conv1_1/weights [3, 3, 3, 4] <- vgg_a/conv1/conv1_1/weights [3, 3, 3, 4]'
  )
  assert lines[21:] == [
    'missing in the file: 1',
    '  vgg_a/conv1/conv1_1/biases [4]',
    'unexpected in the file: 1',
    '  gate/kernel [2, 2, 2]',
    'shape mismatch: 1',
    '  vgg_a/fc7/biases: file vgg_a/fc7/biases [5], network [3]',
    'not imported: left out: 0',
    'not imported: training state: 1',
    '  global_step',
  ]
  assert not report.fits
  assert report.problems() == (
    '1 missing: vgg_a/conv1/conv1_1/biases [4]; 1 unexpected: gate/kernel [2, 2, 2]; '
    '1 shape mismatch: vgg_a/fc7/biases: file vgg_a/fc7/biases [5], network [3]'
  )


def test_a_trunk_leaves_out_all_but_layers_of_trunks():
  report = compare(
    TRUNK,
    {
      'dsn1/kernel': (1, 1, 4, 1),  # a side output, as in HED
      'conv1_2/kernel': (3, 3, 4, 4),  # of vgg_b
      'a/running_mean': (7,),
    },
  )
  assert report.unexpected == ('conv1_2/kernel [3, 3, 4, 4]',)
  left_out = [entry.partition(' ')[0] for entry in report.left_out]
  heads = [f'vgg_a/fc{i}/{part}' for i in (6, 7, 8) for part in ('weights', 'biases')]
  assert left_out == [*heads, 'dsn1/kernel', 'a/running_mean']


def test_as_many_batch_norms_as_convolutions_belong_to_the_trunk():
  norms = {f'norm{i}/moving_mean': (4,) for i in range(8)}
  assert len(compare(TRUNK, norms).unexpected) == 8


def test_what_the_user_excludes_is_left_out():
  changes = {'gate/kernel': (2, 2), 'conv1_2/kernel': (3, 3, 4, 4)}
  report = compare(NETWORK, changes, excluded=changes.keys())
  assert report.fits
  assert report.left_out == ('gate/kernel [2, 2]', 'conv1_2/kernel [3, 3, 4, 4]')
  assert compare(TRUNK, changes, excluded=changes.keys()).fits


def test_a_summary_has_the_first_names_only():
  report = compare(TRUNK, {f'extra{i}/kernel': (1, 1, 4, 1) for i in range(90)})
  assert report.summary().splitlines() == [
    'values taken from the file: 16 variables',
    f'not imported: 96 arrays: {", ".join(report.left_out[:8])} and 88 more',
    'not imported, training state: 1 array: global_step',
  ]


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
