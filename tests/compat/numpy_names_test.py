import numpy as np
import pytest

from vgg_slim.compat import numpy_names


@pytest.mark.filterwarnings('ignore:In the future:FutureWarning')
@pytest.mark.parametrize('name', numpy_names.NAMES)
def test_numpy_lacks_the_name_or_means_something_else_by_it(name):
  value = np
  for part in name.split('.'):
    value = getattr(value, part, None)
  assert value is None or value is not numpy_names.NAMES[name]


def test_functions():
  names = {name: value() for name, value in numpy_names.names(allow_pickle=False).items()}
  np.testing.assert_array_equal(names['numpy.in1d']([[1, 2], [3, 4]], [2, 4]), [0, 1, 0, 1])
  np.testing.assert_array_equal(names['numpy.msort'](np.array([[3, 1], [2, 4]])), [[2, 1], [3, 4]])
  numbers = np.arange(3, dtype=np.int16)
  for text in (numbers.tobytes(), numbers.tobytes().decode('latin-1')):
    np.testing.assert_array_equal(names['numpy.fromstring'](text, np.int16), numbers)
  np.testing.assert_array_equal(names['numpy.fromstring']('1 2', sep=' '), [1, 2])
  assert names['numpy.asscalar'](np.float32(3)) == 3
  assert names['numpy.asfarray']([1, 2]).dtype == np.float64
  assert names['numpy.trapz']([1, 3]) == 2
  assert names['numpy.expand_dims'](np.ones([2, 3]), axis=3).shape == (2, 3, 1)
  assert names['numpy.expand_dims'](np.ones([2, 3]), -1).shape == (2, 3, 1)


def test_pickles_are_loaded_only_when_that_is_allowed(tmp_path):
  np.save(tmp_path / 'weights.npy', {'conv1': [np.ones(2)]}, allow_pickle=True)
  load = numpy_names.names(allow_pickle=True)['numpy.load']()
  assert load(tmp_path / 'weights.npy', encoding='latin1').item().keys() == {'conv1'}
  load = numpy_names.names(allow_pickle=False)['numpy.load']()
  with pytest.raises(ValueError, match='weights.npy is a pickle.*tools/import_weights --from'):
    load(tmp_path / 'weights.npy', encoding='latin1')
  np.save(tmp_path / 'plain.npy', [1, 2])
  np.testing.assert_array_equal(load(tmp_path / 'plain.npy'), [1, 2])


def test_every_lambda_has_a_successor():
  lambdas = {n for n, value in numpy_names.NAMES.items() if '<lambda>' in str(value)}
  assert lambdas | {'fromstring'} == set(numpy_names.SUCCESSORS)
