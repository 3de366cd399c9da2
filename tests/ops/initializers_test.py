import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.errors import ConfigError
from vgg_slim.ops import initializers

SHAPE = (3, 3, 64, 100)  # fan-in 576, fan-out 900


# The standard deviation of 57,600 draws has an error of 0.3 %; the tolerance is seven times that. A
# normal distribution truncated at two standard deviations has 0.8796 of the original one.
@pytest.mark.parametrize(
  ('name', 'deviation'),
  [('he', np.sqrt(2 / 576)), ('glorot', np.sqrt(2 / (576 + 900))), ('normal', 0.01 * 0.8796)],
)
def test_standard_deviation(name, deviation):
  with graph_session() as session:
    values = session.run(initializers.get(name)(SHAPE))
  assert np.std(values) == pytest.approx(deviation, rel=0.02)
  assert abs(np.mean(values)) < 0.02 * deviation


def test_an_unknown_name_is_refused():
  with pytest.raises(ConfigError, match="Unknown initializer 'xavier'; expected one of .*glorot"):
    initializers.get('xavier')
