"""Commands on a network that overflows report an error and write nothing."""

import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session, make_contract, make_data_set
from vgg_slim.checkpoints.contract import contract_path, write_contract
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.features import cache
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing.description import Preprocessing
from vgg_slim.weights import formats

ROOT = pathlib.Path(__file__).parents[2]
NAMES = ('class_0', 'class_1')
REASON = ' gives values that are not finite for image '


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Folder with the data set `data`, an image, the checkpoints `net` and `trunk`, whose last
  convolution overflows, and `features` of that trunk, one of which is infinite."""
  folder = tmp_path_factory.mktemp('overflow')
  make_data_set(folder / 'data', per_class=4)
  pixels = np.random.default_rng(0).integers(0, 255, [32, 32, 3]).astype(np.uint8)
  PIL.Image.fromarray(pixels).save(folder / 'a.png')
  for name, num_classes, fc_units in (('net', 2, 8), ('trunk', None, None)):
    write_overflowing(str(folder / name), num_classes, fc_units)
  write_features(folder / 'features', str(folder / 'trunk'))
  return folder


def write_overflowing(prefix, num_classes, fc_units):
  with graph_session() as session:
    images = tf.zeros([1, 32, 32, 3])
    registry.build('vgg_a@4', images, num_classes, Inference(), 32, fc_units=fc_units or 8)
    session.run(tf.global_variables_initializer())
    (kernel,) = [v for v in tf.global_variables() if v.op.name.endswith('conv5_2/weights')]
    session.run(kernel.assign(tf.ones_like(kernel) * 1e38))
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  names = NAMES if num_classes else None
  write_contract(
    contract_path(prefix), make_contract('vgg_a@4', num_classes, 32, fc_units, class_names=names)
  )


def write_features(folder, trunk):
  network = Network(None, 'vgg_a@4', image_size=32)
  pixels = Preprocessing((0, 0, 0), 1.0, 32)
  key = cache.FeatureKey(formats.sha256(trunk), network, 'pool5', pixels, 'f', NAMES)
  cache.open_folder(folder, key)
  values = np.ones([4, 1, 1, 32], np.float32)
  values[2, 0, 0, 5] = np.inf
  rows = cache.FeatureSet(values, np.array([0, 1, 0, 1], np.int32), np.array(list('wxyz')))
  cache.write_features(cache.features_path(folder, 'train'), values.shape, [rows])


def run(folder, tool, *arguments):
  command = [sys.executable, '-m', f'vgg_slim.commands.{tool}', '--quiet', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


@pytest.mark.parametrize(
  ('tool', 'arguments', 'message'),
  [
    (
      'evaluate',
      ('--checkpoint_path=net', '--data_dir=data', '--output=out.json', '--csv=out.csv'),
      f'net{REASON}0/',
    ),
    ('predict', ('a.png', '--checkpoint_path=net'), f'net{REASON}a.png'),
    (
      'extract_features',
      ('--checkpoint_path=trunk', '--data_dir=data', '--output=out'),
      f'trunk{REASON}',
    ),
    (
      'train_head',
      ('--features=features', '--checkpoint_path=trunk', '--output=out_head'),
      f'features/train.npz was made with{REASON}y',
    ),
    (
      'export_model',
      ('--checkpoint_path=net', '--output=out_model'),
      f'net{REASON}china.jpg at Q = 32',
    ),
  ],
)
def test_an_overflow_is_reported_on_one_line(folder, tool, arguments, message):
  ended = run(folder, tool, *arguments)
  assert ended.returncode == 1
  assert ended.stderr.startswith(f'{tool}: error: ')
  assert message in ended.stderr
  assert ended.stderr.count('\n') == 1
  assert '%' not in ended.stdout
  assert not [path for path in folder.glob('out*') if path.is_file() or list(path.glob('*.npz'))]
