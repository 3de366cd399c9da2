"""Each call runs in its own process because flags are global; most end without TensorFlow."""

import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tests.testing import graph_session, make_contract
from tests.weights.fabricated import random_arrays
from vgg_slim.checkpoints.contract import contract_path, read_contract, write_contract
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.weights.recognition import variable_shapes

ROOT = pathlib.Path(__file__).parents[2]


def run(folder, tool, *arguments):
  """Runs the command in `folder`; returns (exit code, stdout, stderr)."""
  program = f'import sys; sys.path.insert(0, {str(ROOT)!r}); import {tool} as tool; tool.run()'
  command = [sys.executable, '-c', program, *arguments]
  done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
  return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--model=vgg16'], 'Give --from and --output; see --help.'),
    (['--from=f', '--output=o', '--model=vgg'], "Unknown model 'vgg'."),
    (['--from=f', '--output=o', '--model=vgg16', '--head=mlp'], "Unknown head 'mlp'"),
    (['--from=f', '--output=o', '--model=vgg16', '--rgb_mean=1,2'], '--rgb_mean must be three'),
    (['--from=f', '--output=o', '--model=vgg16', '--rgb_std=a,b,c'], '--rgb_std must be three'),
    (['--from=f', '--output=o', '--model=vgg16', '--labels=no.txt'], 'no.txt cannot be read'),
    (['--from=f', '--output=o', '--model=vgg16', '--report=no/r'], '--report=no/r: there is no'),
    (
      ['--from=f', '--output=o', '--model=vgg16', '--contract=c', '--head=vgg', '--rgb_mean=1,2,3'],
      '--contract=c has the input, sizes and classes: leave out --rgb_mean, --head.',
    ),
    (['--from=f', '--output=o', '--model=vgg16'], '--from=f: there is neither such a file nor'),
  ],
)
def test_user_errors_are_one_line(tmp_path, arguments, message):
  code, out, err = run(tmp_path, 'vgg_slim.commands.import_weights', *arguments)
  assert code == (1 if 'cannot be read' in message or message.startswith('--from') else 2)
  assert err.startswith(f'import_weights: error: {message}')
  assert err.count('\n') == 1
  assert out == ''


def test_class_names_that_no_export_can_hold_are_refused_before_the_work(tmp_path):
  (tmp_path / 'birds.txt').write_text('0:crane\n1:crane\n')
  arguments = ('--from=f', '--output=o', '--model=vgg16', '--labels=birds.txt')
  code, out, err = run(tmp_path, 'vgg_slim.commands.import_weights', *arguments)
  assert (code, out) == (1, '')
  assert err == (
    "import_weights: error: birds.txt: Class names that cannot be used: 'crane' occurs more than "
    'once.\n'
  )


def test_exporting_what_was_imported_gives_the_same_arrays(tmp_path):
  arrays = random_arrays(variable_shapes(Network(2, 'vgg11', image_size=32, fc_units=4)))
  np.savez(tmp_path / 'm.npz', **arrays)
  (tmp_path / 'labels.txt').write_text('0:cat\n1:dog\n')
  (tmp_path / 'link').symlink_to('/dev/stderr')
  code, out, err = run(
    tmp_path,
    'vgg_slim.commands.import_weights',
    *('--from=m.npz', '--model=vgg11', '--output=w/vgg11', '--bgr', '--pixel_scale=0.5'),
    *('--rgb_mean=1,2,3', '--labels=labels.txt', '--image_size=32', '--report=report.txt'),
  )
  assert (code, err) == (0, '')
  assert out.startswith('.npz -> vgg_a, head vgg of 4 units, 2 classes at 32 pixels\n')
  assert 'values taken from the file: 22 variables\n' in out
  assert (tmp_path / 'report.txt').read_text().startswith('matched: 22\n')
  assert 'not compared with the source: no framework belongs to .npz' in out
  files = sorted(file.name for file in (tmp_path / 'w').iterdir())
  assert files == ['vgg11.data-00000-of-00001', 'vgg11.index', 'vgg11.json']
  quiet = run(
    tmp_path,
    'vgg_slim.commands.import_weights',
    *('--from=m.npz', '--model=vgg11', '--output=w/quiet', '--image_size=32', '--quiet'),
    '--report=link',
  )
  assert quiet[:2] == (0, 'Wrote w/quiet.index, .data-00000-of-00001 and .json.\n')
  assert quiet[2] == (tmp_path / 'report.txt').read_text()
  contract = json.loads((tmp_path / 'w' / 'vgg11.json').read_text())
  assert contract['rgb_mean'] == [1, 2, 3]
  assert contract['class_names'] == ['cat', 'dog']
  assert (contract['image_size'], contract['fc_units']) == (32, 4)

  code, out, err = run(
    tmp_path,
    'vgg_slim.commands.export_weights',
    '--checkpoint_path=w/vgg11',
    '--output=again.npz',
    '--bgr',
  )
  assert (code, err) == (0, '')
  with np.load(tmp_path / 'again.npz') as again:
    assert set(again.files) == {f'vgg_a/{name}' for name in arrays}
    for name, array in arrays.items():
      np.testing.assert_array_equal(again[f'vgg_a/{name}'], array)


@pytest.mark.parametrize(
  'changes',
  [
    {'per_image_standardization': True, 'rgb_mean': [0, 0, 0], 'keep_aspect_ratio': False},
    {'pixel_scale': [0.5, 0.25, 0.125], 'pixel_range': [0, 4095], 'test_scale': 64},
  ],
)
def test_the_command_of_an_export_imports_the_contract_too(tmp_path, changes):
  prefix = str(tmp_path / 'own')
  network = Network(2, 'vgg11', 'average', 32, classifier_activation='sigmoid')
  arrays = random_arrays(variable_shapes(network))
  with graph_session() as session:
    variables = [tf.get_variable(f'vgg_a/{name}', initializer=a) for name, a in arrays.items()]
    session.run(tf.global_variables_initializer())
    tf.train.Saver(variables).save(session, prefix, write_meta_graph=False)
  names = {'class_names': ['cat', 'a dog'], 'classifier_activation': 'sigmoid', 'head': 'average'}
  made = make_contract('vgg11', 2, 32, 4096, **names, **changes)
  write_contract(contract_path(prefix), made)
  code, out, err = run(
    tmp_path,
    'vgg_slim.commands.export_weights',
    *('--checkpoint_path=own', '--output=own.npz', '--bgr'),
  )
  assert (code, err) == (0, '')
  _, _, command = out.partition(f'To import it here again: {ROOT}/tools/import_weights ')
  words = shlex.split(command.splitlines()[0].replace('PREFIX', 'back'))
  code, _, err = run(tmp_path, 'vgg_slim.commands.import_weights', *words)
  assert (code, err) == (0, '')
  back = read_contract(contract_path(str(tmp_path / 'back')))
  assert dataclasses.replace(back, source=None) == made
  imported = tf.train.load_checkpoint(str(tmp_path / 'back'))
  for name, array in arrays.items():
    np.testing.assert_array_equal(imported.get_tensor(f'vgg_a/{name}'), array)


@pytest.mark.parametrize(
  ('model', 'num_classes', 'message'),
  [
    ('vgg16', 2, 'c.json: the contract is of vgg16, not of vgg11.'),
    ('vgg11', None, 'c.json: the contract is of a trunk alone: give --trunk_only.'),
  ],
)
def test_a_contract_of_another_network_is_refused(tmp_path, model, num_classes, message):
  (tmp_path / 'f').touch()
  write_contract(tmp_path / 'c.json', make_contract(model, num_classes, 32))
  arguments = ('--from=f', '--output=o', '--model=vgg11', '--contract=c.json')
  code, out, err = run(tmp_path, 'vgg_slim.commands.import_weights', *arguments)
  assert (code, out, err) == (2, '', f'import_weights: error: --contract={message}\n')
