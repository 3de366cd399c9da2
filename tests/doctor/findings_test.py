from vgg_slim.doctor.findings import FAIL, OK, Finding, run_check
from vgg_slim.errors import DataError


def test_a_vgg_slim_error_is_a_failure_on_one_line():
  def fail():
    raise DataError('photos\nare gone.')

  assert run_check('data', fail, 'Find them.') == Finding(
    FAIL, 'data', 'photos are gone.', 'Find them.'
  )
  assert run_check('data', lambda: 'all there') == Finding(OK, 'data', 'all there')
