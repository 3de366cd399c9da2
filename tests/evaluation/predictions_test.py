import csv
import io
import json

import numpy as np
import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import predictions
from vgg_slim.evaluation.predictions import ClassScore, Prediction

CAT = ClassScore(1, 'cat, tabby', 0.75)
DOG = ClassScore(0, 'dog', 0.25)
ROWS = [Prediction('a b.jpg', (CAT, DOG)), Prediction('ü.jpg', (DOG, CAT))]


def test_best_first_ties_to_the_lower_id():
  probabilities = np.array([0.2, 0.1, 0.5, 0.2])
  assert [s.class_id for s in predictions.top_classes(probabilities, 'abcd', 3)] == [2, 0, 3]
  assert predictions.top_classes(probabilities, 'abcd', 1) == (ClassScore(2, 'c', 0.5),)
  assert predictions.top_classes(probabilities, None, 9)[3] == ClassScore(1, '1', 0.1)


def test_csv_reads_back():
  rows = list(csv.reader(io.StringIO(predictions.to_csv(ROWS))))
  assert rows == [
    ['file', 'class_1', 'probability_1', 'class_2', 'probability_2'],
    ['a b.jpg', 'cat, tabby', '0.75', 'dog', '0.25'],
    ['ü.jpg', 'dog', '0.25', 'cat, tabby', '0.75'],
  ]
  assert predictions.to_csv([]) == 'file\n'


def test_json_reads_back():
  values = json.loads(predictions.to_json(ROWS[:1], {'x.jpg': 'the file is empty'}))
  assert values['predictions'][0]['classes'][0] == {
    'class_id': 1,
    'class_name': 'cat, tabby',
    'probability': 0.75,
  }
  assert values['unreadable'] == {'x.jpg': 'the file is empty'}


def test_the_file_name_says_the_format():
  assert predictions.find_format('out/x.CSV') == 'csv'
  with pytest.raises(ConfigError, match=r'--output=x.txt must end in .csv or .json'):
    predictions.find_format('x.txt')
