"""Runs without TensorFlow, so that an environment with Beam does not need it."""

import os
import pathlib
import sys

import pytest

from tests.data import fabricated
from vgg_slim.data.conversion import beam_workers, converter
from vgg_slim.data.sources import catalog
from vgg_slim.errors import ConfigError, DataError

DIRECT = beam_workers.Runner('DirectRunner')


@pytest.fixture
def beam():
  return pytest.importorskip('apache_beam', reason='Apache Beam is not installed')


def fail(_):
  raise DataError('the disk is full')


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def photos(folder):
  root = fabricated.write_image_folder(folder, {'a': 20, 'b': 20}, 'JPEG', '.jpg')
  (root / 'a' / '001.jpg').write_bytes(b'')
  (root / 'b' / '002.jpg').write_bytes((root / 'b' / '003.jpg').read_bytes())
  return catalog.open_source('folder', root)


@pytest.mark.usefixtures('beam')
@pytest.mark.parametrize(
  'options', [(), ('--direct_num_workers=2', '--direct_running_mode=multi_processing')]
)
def test_beam_writes_the_same_bytes(tmp_path, monkeypatch, options):
  # Beam's worker processes have to find this library.
  monkeypatch.setenv('PYTHONPATH', str(pathlib.Path(__file__).parents[3]), prepend=os.pathsep)
  source = photos(tmp_path / 'photos')
  plan = converter.Options(num_shards=3)
  converter.convert(source, tmp_path / 'local', plan)
  runner = DIRECT._replace(options=options)
  converter.convert(source, tmp_path / 'beam', plan, runner=runner)
  assert contents(tmp_path / 'beam') == contents(tmp_path / 'local')
  assert {'quarantine.csv', 'duplicates.csv'} <= set(contents(tmp_path / 'beam'))


@pytest.mark.usefixtures('beam')
def test_strict_refuses_broken_images_with_beam_too(tmp_path):
  options = converter.Options(strict=True)
  with pytest.raises(DataError, match=r'cannot be used: a/001\.jpg: the file is empty'):
    converter.convert(photos(tmp_path / 'photos'), tmp_path / 'out', options, runner=DIRECT)
  assert [path.name for path in tmp_path.iterdir()] == ['photos']


@pytest.mark.usefixtures('beam')
def test_worker_errors_and_unknown_runners_are_reported(tmp_path):
  with pytest.raises(DataError, match='Beam, DirectRunner: .*the disk is full'):
    beam_workers.for_each(fail, [1], DIRECT)
  with pytest.raises(DataError, match='Beam, NoRunner: Unexpected pipeline runner'):
    beam_workers.for_each(fail, [1], beam_workers.Runner('NoRunner'))


def test_without_beam_the_error_says_how_to_install_it(monkeypatch):
  monkeypatch.setitem(sys.modules, 'apache_beam', None)
  with pytest.raises(ConfigError, match='FlinkRunner needs .* pip install apache-beam$'):
    beam_workers.for_each(print, [1], beam_workers.Runner('FlinkRunner'))
