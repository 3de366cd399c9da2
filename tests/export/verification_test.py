import numpy as np
import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint
from vgg_slim.compat import tf
from vgg_slim.errors import NonFiniteError
from vgg_slim.export import samples, verification
from vgg_slim.export.verification import Case, ExportMismatchError
from vgg_slim.preprocessing import graph_decoding


def outputs(logits, score_map=None):
  logits = np.float32(logits)
  exponents = np.exp(logits)
  return {
    'class_score_map': logits[:, None, None] if score_map is None else score_map,
    'logits': logits,
    'probabilities': exponents / exponents.sum(1, keepdims=True),
    'classes': logits.argmax(1),
  }


def test_largest_differences_by_hand():
  cases = [Case('a.jpg', None, outputs([[0, 8]])), Case('a.jpg', None, outputs([[2, 1]]))]
  got = [outputs([[0, 9]]), outputs([[1, 1.25]])]
  comparison = verification.compare(cases, got, tolerance=0.125)
  # The largest score of both cases is 8.
  assert (comparison.difference, comparison.relative) == (1.0, 0.125)
  assert (comparison.same_class, comparison.answers, comparison.cases) == (1, 2, 2)
  expected = np.e / (1 + np.e) - 1 / (1 + np.exp(0.25))
  assert comparison.probabilities == pytest.approx(expected)
  text = comparison.text()
  assert text.startswith('the same class in 1 of 2 answers; probabilities differ by at most 0.29')
  assert text.endswith(', class scores by at most 1, 0.12 of the largest')
  with pytest.raises(
    ExportMismatchError, match='0.12 of the largest, which is more than 0.1; nothing'
  ):
    verification.compare(cases, got, tolerance=0.1)


def test_class_score_maps_are_compared_even_if_their_averages_agree():
  one, two = np.float32([[[[1, 3], [3, 1]]]]), np.float32([[[[3, 1], [1, 3]]]])
  case = Case('a.jpg', None, outputs([[2, 2]], one))
  with pytest.raises(ExportMismatchError, match='class scores by at most 2, '):
    verification.compare([case], [outputs([[2, 2]], two)], tolerance=0.1)


def test_a_value_that_is_not_finite_is_refused():
  case = Case('a.jpg', None, outputs([[1, 2]]))
  # NaN is in the second case, because the maximum of a list with NaN depends on the order.
  got = [outputs([[1, 0]]), outputs([[1, np.nan]])]
  with pytest.raises(NonFiniteError, match='The export gives .* image b.jpg, in class_score_map'):
    verification.compare([case, case._replace(name='b.jpg')], got, tolerance=0.1)


def test_different_shapes_are_refused():
  case = Case('a.jpg', None, outputs([[1, 2]]))
  with pytest.raises(ExportMismatchError, match='For a.jpg the export gives'):
    verification.compare([case], [outputs([[1, 2, 3]])], tolerance=1)


def test_probabilities_are_compared_with_those_of_predict(tmp_path):
  case = Case('a.jpg', None, outputs([[1, 2]]), predicted=np.float32([[0.5, 0.5]]))
  with pytest.raises(
    ExportMismatchError, match='For a.jpg .* differ by 0.23 from those of tools/predict'
  ):
    verification.compare([case], [outputs([[1, 2]])], tolerance=0.1)


def two_images():
  images = samples.default_images()
  return {name: images[name] for name in ('china.jpg', 'digit 0')}


def test_every_image_is_scored_at_two_scales_and_as_a_crop(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  cases = verification.run_on_pixels(prefix, contract, two_images())
  q, larger = contract.preprocessing.test_scale, contract.preprocessing.test_scale * 5 // 4
  assert [case.batch.shape for case in cases] == [
    # china.jpg has 640x427 pixels, a digit 8x8.
    *((1, q, round(q * 640 / 427), 3), (1, larger, round(larger * 640 / 427), 3), (1, 32, 32, 3)),
    *((1, q, q, 3), (1, larger, larger, 3), (1, 32, 32, 3)),
  ]
  assert [case.is_crop for case in cases] == [False, False, True] * 2
  for case in cases:
    check_outputs(case.expected, expected_outputs(prefix, contract, case.batch))


def test_files_of_every_kind_are_scored_alone_and_in_one_batch(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  files = two_images()
  *alone, together = verification.run_on_files(prefix, contract, files)
  assert [case.batch[0] for case in alone[:2]] == list(files.values())
  assert len(alone) == len(together.batch) == 2 + 4
  for i, case in enumerate(alone):
    np.testing.assert_array_equal(together.expected['logits'][i], case.expected['logits'][0])
    # Predict rotates a JPEG file and stores it again, which changes pixels by about 1 of 255.
    np.testing.assert_allclose(case.predicted, case.expected['probabilities'], atol=0.02)


def drop_alpha(encoded, *_):
  return tf.io.decode_png(encoded, channels=3)


def ignore_orientation(image, orientation):
  return image


def darken(image, orientation):
  return image // 2


@pytest.mark.parametrize(
  ('function', 'broken', 'message'),
  [
    ('_turn_upright', ignore_orientation, 'decode JPEG file rotated by EXIF into .* instead'),
    ('_decode_png', drop_alpha, 'decode transparent PNG file into pixels that differ by'),
    ('_turn_upright', darken, 'decode a.jpg into pixels that differ by'),
  ],
)
def test_wrong_decoding_of_files_is_refused(tmp_path, monkeypatch, function, broken, message):
  """The pixels are compared before the network runs, so its sensitivity does not matter."""
  prefix, contract = make_checkpoint(tmp_path)
  monkeypatch.setattr(graph_decoding, function, broken)
  with pytest.raises(ExportMismatchError, match=message):
    verification.run_on_files(prefix, contract, {'a.jpg': two_images()['china.jpg']})
