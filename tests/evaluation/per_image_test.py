import csv

import numpy as np

from vgg_slim.evaluation import per_image


def test_rows_can_be_read_back():
  names = ['a,b.png', 'c.png']
  probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
  views = [('dense', probabilities), ('center', probabilities[::-1])]
  text = per_image.to_csv(names, np.array([2, 0]), views, ('x', 'y', 'z'), 'float32')
  assert '\r' not in text  # the csv module ends lines with \r\n by default
  rows = list(csv.reader(text.splitlines()))
  columns = ['file', 'label', 'view', 'class_1', 'probability_1', 'class_2', 'probability_2']
  assert rows[0] == [*columns, 'class_3', 'probability_3', 'precision']
  assert rows[1] == ['a,b.png', 'z', 'dense', 'y', '0.5', 'z', '0.3', 'x', '0.2', 'float32']
  # Ties go to the lower class.
  assert rows[2] == ['c.png', 'x', 'dense', 'x', '0.4', 'z', '0.4', 'y', '0.2', 'float32']
  assert [row[:5] for row in rows[3:]] == [
    ['a,b.png', 'z', 'center', 'x', '0.4'],
    ['c.png', 'x', 'center', 'y', '0.5'],
  ]


def test_probabilities_have_the_digits_of_json():
  """Two nearly certain answers were 1.000000 both, and a probability of 4e-8 was 0.000000."""
  exact = np.array([[0.99999996, 4e-8], [0.99999998, 2e-8]])
  text = per_image.to_csv(['a', 'b'], np.array([0, 0]), [('dense', exact)], ('x', 'y'), 'float32')
  read = [[float(row[4]), float(row[6])] for row in csv.reader(text.splitlines()[1:])]
  np.testing.assert_array_equal(read, exact)


def test_at_most_five_classes_are_written():
  views = [('dense', np.full([1, 9], 1 / 9))]
  text = per_image.to_csv(['a'], np.array([0]), views, [str(i) for i in range(9)], 'bfloat16')
  assert text.splitlines()[1].count(',') == 3 + 2 * 5
