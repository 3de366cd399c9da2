import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.export import request


def test_an_unknown_format_is_refused():
  with pytest.raises(ConfigError, match='format must be one of saved_model, .* got .pickle'):
    request.ExportRequest('m', 'pickle', 'out')


@pytest.mark.parametrize(
  ('kind', 'input_shape', 'expected'),
  [
    ('saved_model', None, False),
    ('tflite', None, True),
    ('tflite_dynamic', 'free', False),
    ('tflite_int8', None, True),
  ],
)
def test_only_tflite_models_may_have_a_fixed_shape(kind, input_shape, expected):
  assert request.FORMATS[kind].is_fixed(input_shape) is expected


@pytest.mark.parametrize(
  ('kind', 'options', 'problems'),
  [
    ('tflite_int8', {}, ['calibrated on images', '--representative_dir']),
    ('frozen', {'input_shape': 'fixed'}, ['frozen always has a free shape']),
    (
      'tflite_int8',
      {'input_shape': 'free'},
      ['tflite_int8 always has a fixed shape', '--representative_dir'],
    ),
    ('tflite', {'input_shape': 'square'}, ["one of .'fixed', 'free'., got 'square'"]),
    ('onnx', {'representative_dir': 'x'}, ['onnx needs no calibration']),
    ('saved_model', {'output': 'x [3]'}, [r'TensorFlow takes \[3\] for a pattern']),
  ],
)
def test_all_incompatible_options_are_named(kind, options, problems):
  with pytest.raises(ConfigError, match='.*'.join(problems)):
    request.ExportRequest('m', kind, **{'output': 'out', **options})
