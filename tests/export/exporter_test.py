import pytest

from tests.export.fabricated import CONTRACT, make_checkpoint
from vgg_slim.data import labels
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.export import exporter
from vgg_slim.export.verification import ExportMismatchError
from vgg_slim.weights.contract import read_contract


def request(folder, kind, checkpoint='m'):
  return exporter.ExportRequest(str(folder / checkpoint), kind, str(folder / 'out'))


def test_a_saved_model_is_loaded_again_and_compared(tmp_path):
  make_checkpoint(tmp_path)
  said = []
  comparison = exporter.run_export(request(tmp_path, 'saved_model'), said.append)
  # Four pictures: as files, as uint8 and as float32 at two sides.
  assert comparison.cases == comparison.same_class == 4 * 5
  assert 'vgg_a@4, 3 classes at 32 pixels' in said[0]
  assert '4 pictures: largest difference' in said[1]
  extras = tmp_path / 'out' / 'assets.extra'
  assert read_contract(extras / 'contract.json') == CONTRACT
  assert labels.read_labels(extras / 'labels.txt') == CONTRACT.class_names
  assert (tmp_path / 'out' / 'saved_model.pb').is_file()


def test_an_export_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
  make_checkpoint(tmp_path)
  strict = exporter.FORMATS['frozen']._replace(tolerance=-1.0)
  monkeypatch.setitem(exporter.FORMATS, 'frozen', strict)
  before = sorted(tmp_path.iterdir())
  with pytest.raises(ExportMismatchError, match='nothing is exported'):
    exporter.run_export(request(tmp_path, 'frozen'), str)
  assert sorted(tmp_path.iterdir()) == before


def test_mistakes_are_named_before_anything_is_written(tmp_path):
  with pytest.raises(ConfigError, match='format must be one of saved_model, .* got .pickle'):
    exporter.run_export(request(tmp_path, 'pickle'), str)
  with pytest.raises(CheckpointError, match='m is no checkpoint'):
    exporter.run_export(request(tmp_path, 'frozen'), str)
  (tmp_path / 'out').mkdir()
  with pytest.raises(ConfigError, match='out exists'):
    exporter.run_export(request(tmp_path, 'frozen'), str)
