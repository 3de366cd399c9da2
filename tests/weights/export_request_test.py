import sys

import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.weights import export_request
from vgg_slim.weights.export_request import ExportRequest


@pytest.mark.parametrize('suffix', export_request.SUFFIXES)
def test_a_suffix_of_a_known_format_is_accepted(suffix):
  assert ExportRequest('weights/m', f'm{suffix}').output == f'm{suffix}'


def test_an_existing_output_is_refused(tmp_path):
  (tmp_path / 'm.npz').touch()
  (tmp_path / 'm.ckpt.index').touch()
  for name in ('m.npz', 'm.ckpt'):
    with pytest.raises(ConfigError, match='exists; give another --output'):
      export_request.check_output(str(tmp_path / name))


@pytest.mark.parametrize(('suffix', 'package'), [('pth', 'torch'), ('safetensors', 'safetensors')])
def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch, suffix, package):
  monkeypatch.setitem(sys.modules, package, None)
  advice = f'needs the package {package}, which is not installed: pip install {package}'
  with pytest.raises(ConfigError, match=advice):
    export_request.check_output(str(tmp_path / f'm.{suffix}'))


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'output': 'm.h5'}, 'must end in .weights.h5, .keras, .safetensors, .pth, .ckpt or .npz'),
    ({'model': 'vgg'}, "Unknown model 'vgg'"),
  ],
)
def test_invalid_values_are_named(values, message):
  with pytest.raises(ConfigError, match=message):
    ExportRequest(**{'checkpoint': 'weights/m', 'output': 'm.npz', **values})
