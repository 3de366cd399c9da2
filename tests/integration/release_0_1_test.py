"""Data sets, checkpoints and train_dirs of vgg_slim 0.1 can still be read."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from vgg_slim.compat import tf

ROOT = pathlib.Path(__file__).parents[2]
RELEASE = ROOT / 'tests/goldens/release_0_1'


@pytest.fixture
def folder(tmp_path):
  for part in ('data', 'photos', 'run'):
    shutil.copytree(RELEASE / part, tmp_path / part)
  return tmp_path


def run(folder, command, *arguments):
  done = subprocess.run(
    [sys.executable, '-m', f'vgg_slim.commands.{command}', *arguments],
    cwd=folder,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return done.stdout


def test_a_resumed_run_reaches_the_weights_of_0_1(folder):
  output = run(folder, 'train', '--train_dir=run', '--max_steps=9')
  assert 'Resuming from run/model.ckpt-6.' in output
  resumed = tf.train.load_checkpoint(str(folder / 'run/model.ckpt-9'))
  with np.load(RELEASE / 'model.ckpt-9.npz') as expected:
    assert len(expected.files) > 30
    for name in expected.files:
      # Sums of up to 72 products of O(1) values, whose order depends on the processor.
      np.testing.assert_allclose(
        resumed.get_tensor(name), expected[name], rtol=0, atol=1e-4, err_msg=name
      )
  header, *rows = (folder / 'run/metrics.csv').read_text().splitlines()
  assert [row.split(',')[0] for row in rows] == ['3', '6', '9']
  old_header = (RELEASE / 'run/metrics.csv').read_text().splitlines()[0]
  assert header.startswith(old_header)


def test_a_checkpoint_is_evaluated_and_predicts(folder):
  run(folder, 'evaluate', '--train_dir=run', '--split=validation', '--output=e.json')
  evaluated = json.loads((folder / 'e.json').read_text())
  assert evaluated['num_images'] == 4
  run(folder, 'predict', '--train_dir=run', '--output=p.json', 'photos/cat.jpg', 'photos/dog.jpg')
  predictions = json.loads((folder / 'p.json').read_text())['predictions']
  assert [row['file'] for row in predictions] == ['photos/cat.jpg', 'photos/dog.jpg']
  for row in predictions:
    best = row['classes'][0]
    assert best['class_name'] == 'dog'
    # 0.1 resized to the side S instead of the largest multiple of 32 below it.
    assert best['probability'] == pytest.approx(0.5063, abs=5e-3)


def test_a_data_set_trains_a_new_run(folder):
  run(folder, 'train', '--model=vgg_a@2', '--data_dir=data', '--train_dir=new', '--max_steps=2',
      '--image_size=32', '--batch_size=4', '--fc_units=8')  # fmt: skip
  assert (folder / 'new/model.ckpt-2.index').exists()
