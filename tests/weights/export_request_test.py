import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.weights.export_request import ExportRequest


@pytest.mark.parametrize('output', ['m.npz', 'm.weights.h5'])
def test_a_suffix_of_a_known_format_is_accepted(output):
  assert ExportRequest('weights/m', output).output == output


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'output': 'm.h5'}, 'must end in .weights.h5 or .npz'),
    ({'model': 'vgg'}, "Unknown model 'vgg'"),
  ],
)
def test_invalid_values_are_named(values, message):
  with pytest.raises(ConfigError, match=message):
    ExportRequest(**{'checkpoint': 'weights/m', 'output': 'm.npz', **values})
