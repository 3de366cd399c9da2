import os

import numpy as np
import pytest

from tests.testing import make_data_set, run_command, save_trunk
from vgg_slim import locks
from vgg_slim.evaluation.precision_proof import Proof
from vgg_slim.features import bottleneck

FEATURES = ('--checkpoint_path=trunk', '--data_dir=data', '--output=features')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """A folder with the data set `data` of 18 and 6 images, and `trunk`."""
  folder = tmp_path_factory.mktemp('extract')
  make_data_set(folder / 'data', per_class=12)
  save_trunk(str(folder / 'trunk'))
  return folder


@pytest.fixture
def extract(made, tmp_path, monkeypatch, capsys):
  """Runs the command; returns its exit code, standard output and standard error."""
  for path in made.iterdir():
    (tmp_path / path.name).symlink_to(path)
  monkeypatch.chdir(tmp_path)

  def run(*arguments):
    code = run_command('extract_features', *FEATURES, *arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err

  return run


def test_features_are_extracted_only_once(extract, tmp_path):
  code, output, _ = extract('--image_size=32')
  assert (code, output.splitlines()) == (
    0,
    [
      'Wrote features/train.npz: pool5 of 18 images, float32.',
      'Wrote features/validation.npz: pool5 of 6 images, float32.',
    ],
  )
  with np.load(tmp_path / 'features' / 'validation.npz') as arrays:
    assert arrays['features'].shape == (6, 1, 1, 32)
    assert sorted(arrays['labels']) == [0, 0, 0, 1, 1, 1]
    assert len(set(arrays['names'])) == 6
  before = (tmp_path / 'features' / 'train.npz').stat().st_mtime_ns
  code, output, _ = extract('--splits=train')
  assert output == 'features/train.npz already exists with 18 images; nothing to do.\n'
  assert (tmp_path / 'features' / 'train.npz').stat().st_mtime_ns == before
  code, _, error = extract('--layer=conv5_2')
  assert code == 2
  assert "features holds other features: layer 'pool5', now 'conv5/conv5_2'" in error


def test_features_in_another_precision_are_not_reused(extract, tmp_path):
  validation = '--splits=validation'
  extract(validation)
  code, _, error = extract(validation, '--precision=bfloat16')
  assert code == 2
  assert "features holds other features: precision 'float32', now 'bfloat16'" in error
  _, output, _ = extract(validation, '--precision=bfloat16', '--output=low')
  assert output == 'Wrote low/validation.npz: pool5 of 6 images, bfloat16.\n'
  low, exact = (
    np.load(tmp_path / name / 'validation.npz')['features'] for name in ('low', 'features')
  )
  assert 0 < np.abs(low - exact).max() < 0.03 * exact.max()
  _, output, _ = extract(validation, '--output=low')
  assert output == (
    'low holds features in bfloat16: --precision=auto keeps to it.\n'
    'low/validation.npz already exists with 6 images; nothing to do.\n'
  )


@pytest.mark.parametrize(('largest', 'precision'), [(0.01, 'bfloat16'), (0.04, 'float32')])
def test_the_precision_is_the_one_that_the_images_of_the_largest_split_allow(
  extract, monkeypatch, largest, precision
):
  proven = []

  def prove(key, checkpoint, data_dir, manifest, split, batch_size):
    proven.append(split)
    return Proof('bfloat16', 'features of 18 images', True, largest, 0.03)

  monkeypatch.setattr(bottleneck, 'prove_precision', prove)
  code, output, error = extract()
  assert code == 0, error
  first, *written = output.splitlines()
  assert first.startswith(f'bfloat16: features of 18 images, largest difference {largest}')
  assert proven == ['train']
  assert [line.rpartition(', ')[2] for line in written] == [f'{precision}.'] * 2


def test_passes_repeat_the_training_split_alone(extract, tmp_path):
  extract('--passes=2', '--batch_size=5')
  for split, count in (('train', 36), ('validation', 6)):
    with np.load(tmp_path / 'features' / f'{split}.npz') as arrays:
      assert len(arrays['features']) == count
      assert len(set(arrays['names'])) == {'train': 18, 'validation': 6}[split]


def test_a_concurrent_extraction_is_told_which_process_writes(extract, tmp_path):
  with locks.hold(tmp_path / 'features'):
    code, _, error = extract()
  assert code == 1
  assert error.startswith(
    f'extract_features: error: features is in use by process {os.getpid()} on '
  )
  assert error.count('\n') == 1


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--layer=conv5_9'], "has no layer 'conv5_9' below its head"),
    (['--image_size=16'], '16'),
    (['--splits=test'], 'test'),
    (['--data_dir=nowhere'], 'nowhere'),
    (['--output=trunk.index'], 'trunk.index'),
    (['--output='], 'Give --output'),
  ],
)
def test_wrong_values_end_in_one_line_and_write_nothing(extract, tmp_path, arguments, message):
  code, output, error = extract(*arguments)
  assert code in (1, 2)
  assert output == ''
  assert message in error
  assert error.count('\n') == 1
  assert not (tmp_path / 'features').exists()
