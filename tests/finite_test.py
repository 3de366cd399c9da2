import numpy as np
import pytest

from vgg_slim.errors import NonFiniteError
from vgg_slim.finite import check_finite


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_the_error_names_the_first_bad_image_and_the_checkpoint(bad):
  values = np.zeros([4, 2, 3], np.float32)
  values[2, 1, 0] = values[3, 0, 2] = bad
  names = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']
  message = r'^runs/x gives values that are not finite for image c.jpg and 1 of the 4 images'
  with pytest.raises(NonFiniteError, match=message):
    check_finite(values, 'runs/x', names.__getitem__)
  check_finite(values[:2], 'runs/x', names.__getitem__)


def test_empty_arrays_and_the_largest_float_are_accepted():
  check_finite(np.zeros([0, 3]))
  check_finite(np.full([1, 3], np.finfo(np.float32).max))
