"""From a trunk to a whole network; each call runs in its own process because flags are global."""

import pathlib
import subprocess
import sys

import pytest

from tests.testing import make_data_set, save_trunk
from vgg_slim.checkpoints import search
from vgg_slim.checkpoints.contract import load_contract
from vgg_slim.training.history import read_history

ROOT = pathlib.Path(__file__).parents[2]


def run(tool, folder, *arguments):
  command = [sys.executable, '-m', tool, *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
  )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """The data set `data`, the trunk `trunk` and its features `features`."""
  folder = tmp_path_factory.mktemp('head')
  make_data_set(folder / 'data', per_class=12)
  save_trunk(str(folder / 'trunk'))
  extracted = run(
    'vgg_slim.commands.extract_features',
    folder,
    *('--checkpoint_path=trunk', '--data_dir=data', '--image_size=32', '--output=features'),
  )
  assert extracted.returncode == 0, extracted.stderr
  assert 'Wrote features/train.npz: pool5 of 18 images, float32.' in extracted.stdout
  (folder / 'old_history').mkdir()
  return folder


def test_a_trained_head_becomes_a_checkpoint_with_a_history(folder):
  trained = run(
    'vgg_slim.commands.train_head',
    folder,
    *('--features=features', '--checkpoint_path=trunk', '--output=whole', '--head=fc256'),
    *('--classifier_activation=sigmoid', '--epochs=3', '--batch_size=6'),
  )
  assert trained.returncode == 0, trained.stderr
  lines = trained.stdout.splitlines()
  assert lines[0] == (
    'Head fc256 on 32 features of 18 images of 2 classes: adam, learning rate 0.002 falling to 0, '
    'weight decay 1e-05, 3 epochs of 3 steps of 6 images.'
  )
  assert lines[1].startswith('3 epochs in ')
  assert 'validation accuracy' in lines[1]
  assert (
    'tools/evaluate --checkpoint_path=whole scores whole images, also mirrored' in trained.stdout
  )
  _, contract = load_contract(str(folder / 'whole'))
  assert (contract.network.head, contract.network.num_logits, contract.class_names) == (
    'fc256',
    1,
    ('class_0', 'class_1'),
  )
  history = read_history(str(folder / 'whole_history'))
  assert [(row.step, row.epoch) for row in history] == [(3, 1), (6, 2), (9, 3)]
  for name in ('', 'validation'):
    assert list((folder / 'whole_history' / name).glob('events.out.tfevents.*'))
  best = search.find(str(folder / 'whole_history' / 'best'))
  accuracies = [row.validation_accuracy for row in history]
  assert max(accuracies) == accuracies[search.global_step(best) // 3 - 1]
  assert load_contract(best)[1] == contract
  assert not list(folder.glob('.*partial*'))


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--features=features'], 2, 'Give --output; see --help'),
    (['--features=data', '--output=x', '--checkpoint_path=trunk'], 1, 'data holds no features'),
    (['--features=features', '--output=x', '--epochs=0'], 2, 'epochs must be at least 1, got 0'),
    (['--features=features', '--output=trunk', '--checkpoint_path=trunk'], 2, 'trunk.index'),
    (['--features=features', '--output=old', '--checkpoint_path=trunk'], 2, 'old_history exists'),
    (['--features=features', '--output=trunk.json/x'], 2, 'trunk.json is not a folder'),
  ],
)
def test_user_errors_are_one_line(folder, arguments, code, message):
  failed = run('vgg_slim.commands.train_head', folder, *arguments)
  assert failed.returncode == code
  assert message in failed.stderr
  assert len(failed.stderr.splitlines()) == 1
