import csv

import numpy as np
import pytest
from PIL import Image

from vgg_slim.data.conversion import converter, near_duplicates
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog


def test_groups_agree_with_loops_over_all_pairs():
  rng = np.random.default_rng(0)
  hashes = rng.integers(0, 2**64, 60, dtype=np.uint64)
  for i in range(20):  # some of which are near in one, two or more bands
    flips = rng.choice(64, rng.integers(0, 7), replace=False).astype(np.uint64)
    hashes[40 + i] = hashes[i] ^ np.bitwise_or.reduce(np.uint64(1) << flips, initial=np.uint64(0))
  hashes[39] = hashes[41] ^ np.uint64(0b111)  # a chain
  group_of = list(range(60))
  for i in range(60):
    for j in range(i):
      if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= near_duplicates.MAX_DISTANCE:
        group_of = [group_of[j] if g == group_of[i] else g for g in group_of]
  expected = [[i for i in range(60) if group_of[i] == g] for g in sorted(set(group_of))]
  assert near_duplicates.group_hashes(hashes) == [g for g in expected if len(g) > 1]
  assert len(near_duplicates.group_hashes(hashes)) > 5


def test_no_images_are_near():
  assert near_duplicates.group_hashes(np.array([0, 255], np.uint64)) == []


def smooth(seed, size=(320, 240)):
  """An image of a few soft shapes."""
  pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
  return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def test_images_that_look_alike_are_listed(tmp_path):
  pytest.importorskip('imagehash', reason='ImageHash is optional')
  for i in range(8):
    folder = tmp_path / 'x' / 'ab'[i % 2]
    folder.mkdir(parents=True, exist_ok=True)
    smooth(i).save(folder / f'{i}.jpg', quality=90)
  smooth(2).resize((160, 120)).save(tmp_path / 'x' / 'b' / 'small.png')
  smooth(5).save(tmp_path / 'x' / 'b' / 'poor.jpg', quality=20)
  options = converter.Options(SplitRule(0), near_duplicates=True)
  converter.convert(catalog.open_source('folder', tmp_path / 'x'), tmp_path / 'out', options)
  with (tmp_path / 'out' / 'near_duplicates.csv').open(newline='') as stream:
    rows = list(csv.DictReader(stream))
  groups = {}
  for row in rows:
    groups.setdefault(row['group'], set()).add(row['file'])
  assert sorted(map(sorted, groups.values())) == [
    ['a/2.jpg', 'b/small.png'],
    ['b/5.jpg', 'b/poor.jpg'],
  ]
