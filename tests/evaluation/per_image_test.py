import csv

import numpy as np

from vgg_slim.evaluation import per_image


def test_rows_can_be_read_back():
  names = ['a,b.png', 'c.png']
  probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
  text = per_image.to_csv(names, np.array([2, 0]), probabilities, ('x', 'y', 'z'))
  assert '\r' not in text  # the csv module ends lines with \r\n by default
  rows = list(csv.reader(text.splitlines()))
  columns = ['file', 'label', *['class_1', 'probability_1', 'class_2', 'probability_2']]
  assert rows[0] == [*columns, 'class_3', 'probability_3']
  assert rows[1] == ['a,b.png', 'z', 'y', '0.500000', 'z', '0.300000', 'x', '0.200000']
  # Ties go to the lower class.
  assert rows[2] == ['c.png', 'x', 'x', '0.400000', 'z', '0.400000', 'y', '0.200000']


def test_at_most_five_classes_are_written():
  text = per_image.to_csv(['a'], np.array([0]), np.full([1, 9], 1 / 9), [str(i) for i in range(9)])
  assert text.splitlines()[1].count(',') == 1 + 2 * 5
