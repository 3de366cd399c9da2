"""Weights by name, from a server on this machine, compared with Keras by the class scores."""

import contextlib
import dataclasses
import hashlib
import http.server
import pathlib
import tarfile

import keras
import numpy as np
import pytest

from tests.weights import fabricated, loopback
from vgg_slim import locks
from vgg_slim.checkpoints import contract
from vgg_slim.configs.net import Network
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import formats, npz, pretrained, published, slim_ckpt
from vgg_slim.weights.recognition import variable_shapes

SIDE = fabricated.SIDE
MODEL = 'resnet50_keras'


class QuietHandler(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *arguments):
    self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path):
  """Serves the folder `served`."""
  (tmp_path / 'served').mkdir()

  def handle(*arguments):
    return QuietHandler(*arguments, directory=str(tmp_path / 'served'))

  with loopback.serve(handle) as server:
    yield server


@pytest.fixture(scope='module')
def keras_file(tmp_path_factory):
  """A small ResNet of Keras with 1,000 classes, as Keras publishes it, and its path."""
  spec = fabricated.small(MODEL)
  model = fabricated.keras_resnet50(spec, classes=1000)
  path = tmp_path_factory.mktemp('keras') / 'resnet50_weights_tf_dim_ordering_tf_kernels.h5'
  model.save(path)
  return model, path


def publish(monkeypatch, server, path, name, md5=None):
  """Puts a row with the address of the server in place of the one called `name`."""
  rows = []
  for row in published.FILES:
    if row.name == name:
      address = f'http://127.0.0.1:{server.server_address[1]}/'
      row = row._replace(
        publisher=row.publisher._replace(address=address),
        path=path.name,
        checksum=md5 and f'md5:{md5}',
        megabytes=path.stat().st_size / 1e6,
      )
    rows.append(row)
  monkeypatch.setattr(published, 'FILES', tuple(row for row in rows if row.name == name))
  return path


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
  for name in ('KERAS_HOME', 'TORCH_HOME'):
    monkeypatch.setenv(name, str(tmp_path / name))
  monkeypatch.setenv('no_proxy', '127.0.0.1')


def prepare(tmp_path, weights='imagenet', model=MODEL, needs_head=True):
  said = []
  prefix = pretrained.prepare(
    weights, model, needs_head, tmp_path / 'weights', lambda done, total: None, said.append
  )
  return prefix, said


def test_a_published_file_answers_as_in_keras_for_rgb_images(
  tmp_path, monkeypatch, server, keras_file
):
  model, path = keras_file
  fabricated.put_small(monkeypatch, MODEL)
  (tmp_path / 'served' / path.name).write_bytes(path.read_bytes())
  publish(monkeypatch, server, path, 'keras/resnet50', hashlib.md5(path.read_bytes()).hexdigest())
  prefix, said = prepare(tmp_path)
  assert prefix == str(tmp_path / 'weights' / 'keras_resnet50')
  assert said[0].startswith('Downloading http://127.0.0.1')
  assert 'License: MIT (Kaiming He).' in said[0]
  described = contract.read_contract(contract.contract_path(prefix))
  assert described.class_names == imagenet_classes.names()
  assert described.source.file == path.name

  # Keras's own preprocessing of an RGB image, against the contract's.
  rgb = np.random.default_rng(0).uniform(0, 255, [2, SIDE, SIDE, 3]).astype(np.float32)
  theirs = fabricated.keras_logits(model, keras.applications.resnet.preprocess_input(rgb.copy()))
  ours = (rgb - np.array(described.preprocessing.rgb_mean, np.float32)) * (
    described.preprocessing.pixel_scale
  )
  logits = fabricated.our_logits(described.network, prefix, ours)
  fabricated.check_logits(logits, theirs)

  again, said = prepare(tmp_path)
  assert (again, said) == (prefix, [])
  assert len(server.asked) == 1


def test_a_file_on_this_machine_is_recognized_and_its_trunk_imported(
  tmp_path, monkeypatch, keras_file
):
  _, path = keras_file
  fabricated.put_small(monkeypatch, MODEL)
  copy = tmp_path / 'mine [1].h5'
  copy.write_bytes(path.read_bytes())
  prefix, _ = prepare(tmp_path, str(copy), needs_head=False)
  # With the brackets, TensorFlow would not find the checkpoint.
  assert pathlib.Path(prefix).name.startswith('mine 1_')
  assert prefix.endswith('_trunk')
  described = contract.read_contract(contract.contract_path(prefix))
  assert (described.network.is_trunk, described.class_names) == (True, None)
  kernel = slim_ckpt.read(prefix).arrays['resnet50_keras/conv1/weights']
  weights = {layer.name: layer for layer in keras_file[0].layers}['conv1_conv'].get_weights()
  np.testing.assert_array_equal(kernel, weights[0][:, :, ::-1])  # B, G, R -> R, G, B


def test_two_processes_make_one_checkpoint(tmp_path, monkeypatch, keras_file):
  # Such as two workers of one run.
  fabricated.put_small(monkeypatch, MODEL)
  path = str(keras_file[1])
  name = f'{keras_file[1].stem}_{formats.sha256(path)[:12]}_{MODEL}_trunk'
  waits, other = [], contextlib.ExitStack()

  def finish(seconds):
    waits.append(seconds)
    other.close()

  monkeypatch.setattr(pretrained.time, 'sleep', finish)
  other.enter_context(locks.hold(tmp_path / 'weights' / f'.{name}.partial'))
  made, said = prepare(tmp_path, path, needs_head=False)
  assert made == str(tmp_path / 'weights' / name)
  assert len(waits) == 1
  assert said[0].startswith('Waiting for another process: ')
  assert said[-1].startswith('Imported ')


@pytest.fixture
def slim_archive(tmp_path, monkeypatch, server):
  """An archive of a small ResNet's V1 checkpoint, published as slim's; returns (path, arrays)."""
  spec = fabricated.put_small(monkeypatch, 'resnet_v1_50')
  arrays = fabricated.random_arrays(variable_shapes(Network(1000, 'resnet_v1_50')))
  arrays = {f'{spec.scope}/{name}': array for name, array in arrays.items()}
  fabricated.save_checkpoint(tmp_path / 'resnet_v1_50.ckpt', arrays, version=1)
  path = tmp_path / 'served' / 'resnet_v1_50_2016_08_28.tar.gz'
  with tarfile.open(path, 'w:gz') as archive:
    archive.add(tmp_path / 'resnet_v1_50.ckpt', 'resnet_v1_50.ckpt')
  publish(monkeypatch, server, path, 'slim/resnet_v1_50')
  return path, arrays


def test_an_archive_of_slim_is_unpacked_and_copied_bit_for_bit(tmp_path, slim_archive):
  prefix, _ = prepare(tmp_path, model='resnet_v1_50')
  got = slim_ckpt.read(prefix).arrays
  for name, array in slim_archive[1].items():
    np.testing.assert_array_equal(got[name], array, err_msg=name)
  left = sorted(path.name for path in (tmp_path / 'weights').iterdir())
  assert left == [
    'resnet_v1_50_2016_08_28.tar.gz',
    'slim_resnet_v1_50.data-00000-of-00001',
    'slim_resnet_v1_50.index',
    'slim_resnet_v1_50.json',
  ]


def test_a_cut_archive_without_checksum_is_one_line(tmp_path, slim_archive):
  path, _ = slim_archive
  path.write_bytes(path.read_bytes()[:-2000])
  with pytest.raises(CheckpointError, match='2016_08_28.tar.gz is truncated or damaged; delete it'):
    prepare(tmp_path, model='resnet_v1_50')
  assert not list((tmp_path / 'weights').glob('slim_resnet_v1_50*'))


def test_an_archive_without_a_checkpoint_is_refused(tmp_path, slim_archive):
  path, _ = slim_archive
  npz.write_weights(str(tmp_path / 'a.npz'), {'a': np.ones(2, np.float32)})
  with tarfile.open(path, 'w:gz') as archive:
    archive.add(tmp_path / 'a.npz', 'a.npz')
  with pytest.raises(CheckpointError, match=r'holds 0 files \*\.ckpt, expected one'):
    prepare(tmp_path, model='resnet_v1_50')


def test_the_expected_contract_is_that_of_the_checkpoint(tmp_path, slim_archive):
  prefix, _ = prepare(tmp_path, model='resnet_v1_50')
  made = contract.read_contract(contract.contract_path(prefix))
  file = published.choose('imagenet', 'resnet_v1_50', needs_head=True)
  expected = published.expected_contract(file, 'resnet_v1_50', needs_head=True)
  assert dataclasses.replace(made, source=None) == expected
