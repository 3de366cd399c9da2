"""The list of published weights, and --weights in whole commands, each in its own process."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import h5py
import numpy as np
import PIL.Image
import pytest

from tests.testing import make_data_set
from vgg_slim.checkpoints import contract
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import imagenet_classes
from vgg_slim.nets import specs
from vgg_slim.weights import published

ROOT = pathlib.Path(__file__).parents[2]
MODEL = 'vgg_a@4'


def run(folder, command, *arguments, **environment):
  return subprocess.run(
    [sys.executable, '-m', 'vgg_slim', command, *arguments],
    cwd=folder,
    env={
      **{name: value for name, value in os.environ.items() if 'proxy' not in name.lower()},
      'PYTHONPATH': str(ROOT),
      'HOME': str(folder),
      'XDG_CACHE_HOME': str(folder / 'cache'),
      **environment,
    },
    capture_output=True,
    text=True,
    timeout=300,
  )


def write_keras_file(path, heads=()):
  """Writes random weights with the names of Keras's VGG; `heads` are the widths of dense layers."""
  rng = np.random.default_rng(0)
  spec = specs.get(MODEL)
  channels, layers = 3, {}
  for s, stage in enumerate(spec.stages, start=1):
    for u, conv in enumerate(stage, start=1):
      layers[f'block{s}_conv{u}'] = rng.normal(0, 0.3, (3, 3, channels, conv.channels))
      channels = conv.channels
  for name, width in zip(('fc1', 'fc2', 'predictions'), heads, strict=False):
    layers[name] = rng.normal(0, 0.3, (channels, width))  # the map is 1x1 at 32 pixels
    channels = width
  with h5py.File(path, 'w') as file:
    file.attrs['layer_names'] = list(layers)
    for name, kernel in layers.items():
      group = file.create_group(name)
      group.attrs['weight_names'] = ['kernel', 'bias']
      group['kernel'] = kernel.astype(np.float32)
      group['bias'] = np.zeros(kernel.shape[-1], np.float32)
  return layers


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('weights')
  make_data_set(folder / 'data', per_class=4)
  write_keras_file(folder / 'trunk.h5')
  write_keras_file(folder / 'whole.h5', (6, 6, 1000))
  PIL.Image.effect_noise((40, 40), 90).convert('RGB').save(folder / 'a.png')
  return folder


def test_all_files_are_listed_with_source_size_checksum_and_license(tmp_path):
  done = run(tmp_path, 'weights')
  assert done.returncode == 0, done.stderr
  for file in published.FILES:
    assert f'\n  from      {file.url}\n' in done.stdout
  assert 'keras/vgg16: --model=vgg16, 1,000 classes, 553 MB' in done.stdout
  assert 'checksum  md5:64373286793e3c8b2b4e3219cbf3544b' in done.stdout
  assert 'checksum  none is published' in done.stdout
  assert 'license   MIT (Kaiming He)' in done.stdout
  assert 'here      no' in done.stdout
  assert done.stdout.splitlines()[-1].endswith('cache/vgg_slim/weights')


def test_one_network_and_its_copy_in_the_cache_of_keras(tmp_path):
  copy = tmp_path / '.keras' / 'models' / 'vgg19_weights_tf_dim_ordering_tf_kernels.h5'
  copy.parent.mkdir(parents=True)
  copy.touch()
  done = run(tmp_path, 'weights', '--model=vgg_e')
  assert [line for line in done.stdout.splitlines() if line[:1] != ' '][:-1] == [
    'keras/vgg19: --model=vgg19, 1,000 classes, 575 MB',
    'keras/vgg19_notop: --model=vgg19, trunk only, 80 MB',
    'torchvision/vgg19: --model=vgg19, 1,000 classes, 575 MB',
    'slim/vgg_19: --model=vgg19, 1,000 classes, size not published',
  ]
  assert f'here      {copy}' in done.stdout


def test_training_starts_from_the_trunk_and_records_it(folder):
  arguments = ['--weights=trunk.h5', f'--model={MODEL}', '--weights_dir=w', '--data_dir=data']
  arguments += ['--train_dir=run', '--max_steps=1', '--batch_size=4', '--head=fc256']
  arguments += ['--trainable_scopes=head']
  done = run(folder, 'train', *arguments)
  assert done.returncode == 0, done.stderr
  config = json.loads((folder / 'run' / 'config.json').read_text())
  start = config['fine_tune']
  assert (start['weights'], start['new_head']) == ('trunk.h5', True)
  assert pathlib.Path(start['checkpoint_path']).name.startswith('trunk_')
  assert config['preprocessing']['rgb_mean'] == list(IMAGENET_RGB_MEAN)
  made = contract.read_contract(folder / f'{start["checkpoint_path"]}.json')
  assert (made.source.file, made.network.is_trunk) == ('trunk.h5', True)

  from vgg_slim.compat import tf

  reader = tf.train.load_checkpoint(str(folder / 'run'))
  first = h5py.File(folder / 'trunk.h5')['block1_conv1/kernel'][()]
  trained = reader.get_tensor(f'{specs.get(MODEL).scope}/conv1/conv1_1/weights')
  np.testing.assert_array_equal(trained, first[:, :, ::-1])  # frozen; B, G, R in the file


def test_predictions_are_words_of_imagenet(folder):
  arguments = ['--weights=whole.h5', f'--model={MODEL}', '--weights_dir=w', '--output=a.json']
  done = run(folder, 'predict', 'a.png', *arguments)
  assert done.returncode == 0, done.stderr
  assert 'Imported whole.h5 into w/whole_' in done.stdout
  (image,) = json.loads((folder / 'a.json').read_text())['predictions']
  assert {score['class_name'] for score in image['classes']} <= set(imagenet_classes.names())


def test_features_come_from_the_trunk(folder):
  arguments = ['--weights=trunk.h5', f'--model={MODEL}', '--weights_dir=w', '--data_dir=data']
  done = run(folder, 'extract_features', *arguments, '--image_size=32', '--output=features')
  assert done.returncode == 0, done.stderr
  features = np.load(folder / 'features' / 'train.npz')['features']
  assert features.shape[1:] == (1, 1, specs.get(MODEL).trunk_layers()[-1].channels)


def test_without_network_one_line_says_which_file_to_put_where(folder):
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    proxy = f'http://127.0.0.1:{free.getsockname()[1]}'
  done = run(folder, 'predict', 'a.png', '--weights=imagenet', https_proxy=proxy)
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert line.startswith(
    'predict: error: https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_'
    'weights_tf_dim_ordering_tf_kernels.h5 (553 MB) cannot be downloaded: the proxy fails: '
  )
  assert f'put vgg16_weights_tf_dim_ordering_tf_kernels.h5 into {folder}/cache/vgg_slim' in line
