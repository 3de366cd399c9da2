import csv
import io
import json

import numpy as np
import pytest

from vgg_slim.evaluation import predictions
from vgg_slim.evaluation.predictions import WRITERS, ClassScore, Failure, Prediction

CAT = ClassScore(1, 'cat, tabby', 0.75)
DOG = ClassScore(0, 'dog', 0.25)
ROWS = [Prediction('a b.jpg', (CAT, DOG)), Prediction('ü.jpg', (DOG, CAT))]


def test_classes_are_in_descending_order_and_ties_go_to_the_lower_id():
  probabilities = np.array([0.2, 0.1, 0.5, 0.2])
  assert [s.class_id for s in predictions.top_classes(probabilities, 'abcd', 3)] == [2, 0, 3]
  assert predictions.top_classes(probabilities, 'abcd', 1) == (ClassScore(2, 'c', 0.5),)
  assert predictions.top_classes(probabilities, None, 9)[3] == ClassScore(1, '1', 0.1)


def written(suffix, predictions, failures=(), num_classes=2):
  stream = io.BytesIO()
  writer = WRITERS[suffix](stream, num_classes)
  for prediction in predictions:
    writer.add(prediction)
  writer.finish(failures)
  return stream.getvalue().decode()


def test_csv_can_be_read_back():
  rows = list(csv.reader(io.StringIO(written('.csv', ROWS))))
  assert rows == [
    ['file', 'class_1', 'probability_1', 'class_2', 'probability_2'],
    ['a b.jpg', 'cat, tabby', '0.75', 'dog', '0.25'],
    ['ü.jpg', 'dog', '0.25', 'cat, tabby', '0.75'],
  ]
  assert written('.csv', [], num_classes=1) == 'file,class_1,probability_1\n'


def test_json_can_be_read_back():
  values = json.loads(written('.json', ROWS, [Failure('x.jpg', 'the file is empty')]))
  assert [prediction['file'] for prediction in values['predictions']] == ['a b.jpg', 'ü.jpg']
  assert values['predictions'][0]['classes'][0] == {
    'class_id': 1,
    'class_name': 'cat, tabby',
    'probability': 0.75,
  }
  assert values['failed'] == {'x.jpg': 'the file is empty'}
  assert json.loads(written('.json', [])) == {'predictions': [], 'failed': {}}


def test_json_has_a_line_for_each_image():
  first, *answers, end, failed = written('.json', ROWS).splitlines()
  assert (first, end, failed) == ('{"predictions": [', '],', '"failed": {}}')
  assert [json.loads(line.rstrip(','))['file'] for line in answers] == ['a b.jpg', 'ü.jpg']


def test_a_file_name_that_is_not_utf8_is_escaped():
  row = [Prediction('\udcff.jpg', (CAT,))]
  assert '\\udcff.jpg' in written('.csv', row)
  assert json.loads(written('.json', row))['predictions'][0]['classes'][0]['class_id'] == 1


def test_nan_is_refused_in_json():
  with pytest.raises(ValueError, match='not JSON compliant'):
    written('.json', [Prediction('a', (ClassScore(0, 'a', float('nan')),))])
