import dataclasses

import numpy as np
import pytest

from tests.testing import make_data_set, train_config
from vgg_slim.data.conversion import preview
from vgg_slim.errors import DataError


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  data_dir, manifest = make_data_set(tmp_path_factory.mktemp('preview') / 'data')
  return train_config(data_dir, manifest), manifest


@pytest.mark.parametrize(('split', 'expected'), [('train', 5), ('validation', 5)])
def test_images_have_their_original_colors(run, split, expected):
  config, manifest = run
  images, labels = preview.run_preview(config, manifest, split, count=5)
  assert images.shape == (expected, 32, 32, 3)
  assert images.dtype == np.uint8
  # Each class of this data set has a color, with noise of 8 levels on every pixel.
  colors = np.random.default_rng(0).integers(60, 196, [2, 3])
  np.testing.assert_allclose(images.mean((1, 2)), colors[labels], atol=2)


def test_count_is_limited_to_the_split(run):
  config, manifest = run
  images, _ = preview.run_preview(config, manifest, 'validation', count=99)
  assert len(images) == manifest.split('validation').num_examples == 6


def test_a_missing_split_and_broken_shards_are_named(run, tmp_path):
  config, manifest = run
  with pytest.raises(DataError, match="no split 'test'"):
    preview.run_preview(config, manifest, 'test', 4)
  for shard in manifest.split('train').shards:
    (tmp_path / shard.file).write_bytes(b'no records ' * 9)
  elsewhere = dataclasses.replace(config, data_dir=str(tmp_path))
  with pytest.raises(DataError, match='record 0 .* is damaged'):
    preview.run_preview(elsewhere, manifest, 'train', 4)
