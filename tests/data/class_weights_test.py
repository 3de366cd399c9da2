import json

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from vgg_slim.data import class_weights
from vgg_slim.errors import ConfigError

NAMES, COUNTS = ('cat', 'dog', 'tabby, old'), (6, 3, 1)


def parse(text):
  return class_weights.parse(str(text), NAMES, COUNTS)


@pytest.mark.parametrize('counts', [(1350, 50), COUNTS, (7, 7, 7, 7)])
def test_balanced_weights_are_those_of_scikit_learn(counts):
  labels = np.repeat(range(len(counts)), counts)
  expected = compute_class_weight('balanced', classes=np.arange(len(counts)), y=labels)
  names = [f'class {i}' for i in range(len(counts))]
  np.testing.assert_allclose(class_weights.parse('balanced', names, counts), expected, rtol=1e-12)


def test_a_class_without_images_does_not_change_the_weights_of_the_others():
  assert class_weights.balance([6, 0, 2]) == (8 / 12, 1.0, 8 / 4)


def test_numbers_are_scaled_to_a_mean_of_1_over_the_images():
  assert parse('1,2,8') == pytest.approx((0.5, 1.0, 4.0))
  assert parse('10, 20, 80') == pytest.approx((0.5, 1.0, 4.0))
  assert parse('0,1,1') == pytest.approx((0, 2.5, 2.5))
  assert parse('') == ()


@pytest.mark.parametrize('header', ['', 'class name,weight\n'])
def test_a_csv_file_gives_weights_by_name(tmp_path, header):
  path = tmp_path / 'weights.csv'
  path.write_text(f'\ufeff{header}dog,2\n"tabby, old",8\n\ncat,1\n')
  assert parse(path) == parse('1,2,8')


def test_a_json_file_gives_weights_by_name(tmp_path):
  path = tmp_path / 'weights.json'
  path.write_text(json.dumps({'dog': 2, 'tabby, old': 8.0, 'cat': 1}))
  assert parse(path) == parse('1,2,8')


def test_every_mismatch_is_listed(tmp_path):
  path = tmp_path / 'weights.csv'
  path.write_text('dog,2\ndog,3\ncow,1\nsheep,nan\ncat,heavy\na,b,c\n')
  with pytest.raises(ConfigError) as raised:
    parse(path)
  assert str(raised.value) == (
    f"--class_weights={path}: line 6 has 3 cells, not 2; 'dog' occurs more than once; 'cow' is not "
    "a class of the data set; 'sheep' is not a class of the data set; the weight of 'cat' is not a "
    "number; no weight for 'tabby, old'."
  )


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('1,2', '2 numbers for 3 classes, cat, dog, tabby, old'),
    ('1,-2,nan', "must be 'balanced', numbers"),
    ('1,' * 200 + 'nan', "must be 'balanced', numbers"),  # longer than the name of a file
    ('1,-2,3', 'at least 0; negative for dog'),
    ('0,0,0', 'add up to 0'),
    ('ballanced', "must be 'balanced', numbers separated by commas, or an existing"),
  ],
)
def test_what_is_none_of_these_is_refused(text, message):
  with pytest.raises(ConfigError, match=message):
    parse(text)


@pytest.mark.parametrize('content', [b'[1]', b'{"cat": ', b'\xff'])
def test_files_that_cannot_be_read_are_errors(tmp_path, content):
  for name in ('weights.json', 'weights.csv'):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name):
      parse(tmp_path / name)


def test_one_line_says_which_classes_weigh_least_and_most():
  assert class_weights.describe(NAMES, parse('balanced')) == (
    'Class weights in the loss: 0.556 (cat) to 3.33 (tabby, old).'
  )
