import io

import pytest

from tests.export.fabricated import CONTRACT, make_checkpoint
from tests.testing import replace
from vgg_slim.checkpoints import exported
from vgg_slim.checkpoints.contract import read_contract
from vgg_slim.data import labels
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.export import exporter, request, samples, saved_model
from vgg_slim.export.request import ExportRequest
from vgg_slim.export.verification import ExportMismatchError
from vgg_slim.preprocessing import graph_decoding
from vgg_slim.reporting import Reporter


def make_request(folder, kind, **options):
  return ExportRequest(str(folder / 'm'), kind, str(folder / 'out'), **options)


def test_a_saved_model_is_reloaded_and_compared(tmp_path):
  make_checkpoint(tmp_path)
  printed = []
  phases = io.StringIO()
  wanted = make_request(tmp_path, 'saved_model')
  comparison = exporter.run_export(wanted, printed.append, Reporter(phases))
  # Four images in uint8 and float32, at two scales and as a crop; and eight files (these images and
  # four of unusual kinds), each alone and all in one batch.
  assert comparison.cases == 4 * 2 * 3 + 8 + 1
  assert comparison.same_class == comparison.answers == 4 * 2 * 3 + 8 + 8
  assert 'vgg_a@4, 3 classes at 32 pixels' in printed[0]
  assert (
    'on 4 images, each scored in several ways: the same class in 40 of 40 answers' in printed[1]
  )
  assert [line.split()[0] for line in phases.getvalue().splitlines()] == [
    *('Building', 'Scoring', 'Loading'),
  ]
  extras = tmp_path / 'out' / 'assets.extra'
  written = read_contract(extras / 'contract.json')
  assert replace(written, model_sha256=None) == CONTRACT
  assert exported.read(tmp_path / 'out', exported.SAVED_MODEL_FILES, 'assets.extra') == written
  assert labels.read_labels(extras / 'labels.txt') == CONTRACT.class_names
  assert (tmp_path / 'out' / 'saved_model.pb').is_file()


def test_an_export_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
  make_checkpoint(tmp_path)
  strict = exporter.FORMATS['frozen']._replace(tolerance=-1.0)
  monkeypatch.setitem(exporter.FORMATS, 'frozen', strict)
  before = sorted(tmp_path.iterdir())
  with pytest.raises(ExportMismatchError, match='nothing is exported'):
    exporter.run_export(make_request(tmp_path, 'frozen'), str)
  assert sorted(tmp_path.iterdir()) == before


def test_invalid_requests_are_named_before_anything_is_written(tmp_path):
  with pytest.raises(CheckpointError, match='m is neither a checkpoint nor'):
    exporter.run_export(make_request(tmp_path, 'frozen'), str)
  (tmp_path / 'out').mkdir()
  with pytest.raises(ConfigError, match='out exists'):
    exporter.run_export(make_request(tmp_path, 'frozen'), str)


def test_a_trunk_is_also_compared_on_files(tmp_path):
  make_checkpoint(tmp_path, num_classes=None, class_names=None)
  comparison = exporter.run_export(make_request(tmp_path, 'saved_model'), str)
  assert comparison.cases == 4 * 2 * 3 + 8
  assert comparison.same_class is None


def test_a_saved_model_that_ignores_the_orientation_of_files_is_not_kept(tmp_path, monkeypatch):
  """The written graph decodes files differently from the graph of the verification."""
  make_checkpoint(tmp_path)

  def write(prefix, contract, folder):
    with monkeypatch.context() as patch:
      patch.setattr(graph_decoding, '_turn_upright', lambda image, orientation: image)
      saved_model.write(prefix, contract, folder)

  broken = exporter.FORMATS['saved_model']._replace(write=write)
  monkeypatch.setitem(exporter.FORMATS, 'saved_model', broken)
  with pytest.raises(ExportMismatchError, match='nothing is exported'):
    exporter.run_export(make_request(tmp_path, 'saved_model'), str)
  assert not (tmp_path / 'out').exists()


def test_tflite_models_take_one_image_of_the_networks_size(tmp_path):
  make_checkpoint(tmp_path)
  printed = []
  comparison = exporter.run_export(make_request(tmp_path, 'tflite'), printed.append)
  assert ' on 4 images: the same class in 4 of 4 answers; ' in printed[-1]
  assert comparison.cases == comparison.same_class == 4
  assert (tmp_path / 'out' / 'model.tflite').is_file()


def test_integers_are_calibrated_on_the_given_images(tmp_path):
  make_checkpoint(tmp_path)
  (tmp_path / 'images').mkdir()
  for i, data in enumerate(samples.default_images().values()):
    (tmp_path / 'images' / f'{i}.{"jpg" if i < 2 else "png"}').write_bytes(data)
  calibrated = make_request(tmp_path, 'tflite_int8', representative_dir=str(tmp_path / 'images'))
  printed = []
  assert exporter.run_export(calibrated, printed.append).cases == 4
  assert f'Calibrating on 4 images from {tmp_path / "images"}.' in printed


def test_every_format_has_a_writer_and_options():
  assert list(exporter.FORMATS) == list(request.FORMATS)
