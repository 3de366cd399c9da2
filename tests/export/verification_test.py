import numpy as np
import pytest

from tests.export.fabricated import CONTRACT, make_checkpoint
from vgg_slim.errors import NonFiniteError
from vgg_slim.export import samples, verification
from vgg_slim.export.verification import Case, ExportMismatchError


def outputs(logits, score_map=None):
  logits = np.float32(logits)
  exponents = np.exp(logits)
  return {
    'class_score_map': logits[:, None, None] if score_map is None else score_map,
    'logits': logits,
    'probabilities': exponents / exponents.sum(1, keepdims=True),
    'classes': logits.argmax(1),
  }


def test_the_largest_difference_by_hand():
  cases = [Case(None, outputs([[0, 8]])), Case(None, outputs([[2, 1]]))]
  got = [outputs([[0, 9]]), outputs([[1, 1.25]])]
  comparison = verification.compare(cases, got, tolerance=0.125)
  # The largest score, of both cases, is 8.
  assert (comparison.difference, comparison.relative) == (1.0, 0.125)
  assert (comparison.same_class, comparison.cases) == (1, 2)
  expected = np.e / (1 + np.e) - 1 / (1 + np.exp(0.25))
  assert comparison.probabilities == pytest.approx(expected)
  assert 'same class in 1 of 2 cases' in comparison.text()
  with pytest.raises(
    ExportMismatchError, match='0.12 of the largest value.*more than 0.1; nothing'
  ):
    verification.compare(cases, got, tolerance=0.1)


def test_the_map_is_compared_before_its_average():
  one, two = np.float32([[[[1, 3], [3, 1]]]]), np.float32([[[[3, 1], [1, 3]]]])
  case = Case(None, outputs([[2, 2]], one))
  with pytest.raises(ExportMismatchError, match='largest difference 2'):
    verification.compare([case], [outputs([[2, 2]], two)], tolerance=0.1)


def test_what_is_not_a_number_is_no_agreement():
  case = Case(None, outputs([[1, 2]]))
  # In the second case: the largest of a list with NaN in it depends on the order.
  got = [outputs([[1, 0]]), outputs([[1, np.nan]])]
  with pytest.raises(
    NonFiniteError, match='The export gives .* image 1 of the proof, in class_score_map'
  ):
    verification.compare([case, case], got, tolerance=0.1)


def test_other_shapes_are_no_agreement():
  case = Case(None, outputs([[1, 2]]))
  with pytest.raises(ExportMismatchError, match='The export gives'):
    verification.compare([case], [outputs([[1, 2, 3]])], tolerance=1)


def test_every_picture_as_a_file_and_at_two_sides(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  cases = verification.run_checkpoint(prefix, contract, samples.default_images()[::2])
  assert [case.batch.shape for case in cases] == [
    # china.jpg has 640x427 pixels, a digit 8x8; Q is 36 and 45.
    *((1,), (1, 36, 54, 3), (1, 45, 67, 3), (1, 32, 32, 3)),
    *((1,), (1, 36, 36, 3), (1, 45, 45, 3), (1, 32, 32, 3)),
  ]
  assert [case.is_crop for case in cases] == [False, False, False, True] * 2
  file, at_q = cases[0].expected, cases[1].expected
  # The pixels of the second case are rounded: by at most 1/2, of values that go up to 255.
  assert np.abs(file['logits'] - at_q['logits']).max() < 0.02 * np.abs(file['logits']).max()
  assert CONTRACT.test_scale == 36
