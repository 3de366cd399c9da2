import pytest

from vgg_slim.compat import absent
from vgg_slim.errors import VggSlimError

CRF = absent.Absent('tf.contrib.crf', 'copy it')


def test_it_can_be_passed_on_without_an_error():
  assert repr(CRF.crf_decode) == '<tf.contrib.crf.crf_decode, which TensorFlow 2.21 does not have>'
  assert not hasattr(CRF, '__path__')


def test_a_call_names_it_and_the_way():
  message = 'tf.contrib.crf.crf_decode is not in TensorFlow 2.21: copy it.'
  with pytest.raises(NotImplementedError, match=message) as info:
    CRF.crf_decode(1, name='x')
  assert isinstance(info.value, VggSlimError)


def test_it_is_not_a_base_class():
  with pytest.raises(absent.NoSuccessorError, match='tf.contrib.crf.Cell'):

    class Cell(CRF.Cell):
      pass
