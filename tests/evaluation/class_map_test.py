import numpy as np
import pytest

from vgg_slim.errors import DataError
from vgg_slim.evaluation.class_map import map_classes

NETWORK = ('airplane', 'car', 'bird', 'cat', 'deer')


def test_classes_are_found_by_name():
  classes = map_classes(NETWORK, 5, ('cat', 'airplane'), 'data/x')
  assert classes.labels.tolist() == [3, 0]
  assert (classes.names, classes.data_names) == (NETWORK, ('cat', 'airplane'))
  assert classes.to_network(np.array([0, 1, 1])).tolist() == [3, 0, 0]
  assert not classes.is_identity
  assert classes.describe('data/x') == (
    'data/x has 2 of the 5 classes of the network, matched by name: label 0 is 3 (cat), 1 is 0 '
    '(airplane).'
  )


def test_only_the_same_order_is_the_identity():
  assert map_classes(NETWORK, 5, NETWORK, 'x').is_identity
  assert not map_classes(NETWORK, 5, NETWORK[::-1], 'x').is_identity


def test_a_network_without_names_needs_the_same_number_of_classes():
  assert map_classes(None, 2, ('a', 'b'), 'x').names == ('a', 'b')
  with pytest.raises(DataError, match='data/x has 2 classes, but the network has 3'):
    map_classes(None, 3, ('a', 'b'), 'data/x')


def test_every_class_that_the_network_lacks_is_listed():
  data_names = ('cat', *(f'new_{i}' for i in range(9)))
  with pytest.raises(DataError) as caught:
    map_classes(NETWORK, 5, data_names, 'data/x')
  assert str(caught.value) == (
    'data/x has 10 classes, and the network was not trained on 9 of them: '
    f'{", ".join(data_names[1:])}. Its 5 classes are airplane, car, bird, cat and 1 more.'
  )


def test_four_names_are_all_listed():
  with pytest.raises(DataError, match='Its 4 classes are airplane, car, bird, cat[.]$'):
    map_classes(NETWORK[:4], 4, ('deer',), 'x')


@pytest.mark.parametrize('label', [-1, 2])
def test_labels_outside_the_classes_are_refused(label):
  with pytest.raises(DataError, match=rf'must be in 0 .. 1, got .*{label}'):
    map_classes(NETWORK, 5, ('cat', 'deer'), 'x').to_network(np.array([0, label]))
