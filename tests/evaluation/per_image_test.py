import csv

import numpy as np

from vgg_slim.evaluation import per_image


def test_rows_read_back():
  names = ['a,b.png', 'c.png']
  probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
  text = per_image.to_csv(names, np.array([2, 0]), probabilities, ('x', 'y', 'z'))
  assert '\r' not in text  # csv's own line ends are those of Windows
  rows = list(csv.reader(text.splitlines()))
  heads = ['file', 'label', *['class_1', 'probability_1', 'class_2', 'probability_2']]
  assert rows[0] == [*heads, 'class_3', 'probability_3']
  assert rows[1] == ['a,b.png', 'z', 'y', '0.500000', 'z', '0.300000', 'x', '0.200000']
  # Ties go to the lower class.
  assert rows[2] == ['c.png', 'x', 'x', '0.400000', 'z', '0.400000', 'y', '0.200000']


def test_no_more_than_five_classes():
  text = per_image.to_csv(['a'], np.array([0]), np.full([1, 9], 1 / 9), [str(i) for i in range(9)])
  assert text.splitlines()[1].count(',') == 1 + 2 * 5
