from vgg_slim.doctor.findings import FAIL, OK, Finding, found
from vgg_slim.errors import DataError


def test_an_error_of_ours_is_a_failure_in_one_line():
  def fail():
    raise DataError('photos\nare gone.')

  assert found('data', fail, 'Find them.') == Finding(
    FAIL, 'data', 'photos are gone.', 'Find them.'
  )
  assert found('data', lambda: 'all there') == Finding(OK, 'data', 'all there')
