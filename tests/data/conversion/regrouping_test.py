import collections
import csv
import functools

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data import example_proto, manifest, record_framing
from vgg_slim.data.conversion import converter, regrouping, shard_plans
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources.labeled_images import LabeledImage, Source
from vgg_slim.preprocessing import host


def moves(contents, sides, labels=None):
  """Moves of images; equal letters are equal images, '.' is left out, 'v' is validation."""
  digests = b''.join(bytes(16) if c == '.' else c.encode() * 16 for c in contents)
  is_validation = np.array([side == 'v' for side in sides])
  labels = np.array([0] * len(contents) if labels is None else labels)
  return regrouping.plan_moves(digests, is_validation, np.arange(len(contents)), labels)


@pytest.mark.parametrize(
  ('contents', 'sides', 'expected'),
  [
    ('abcd', 'ttvv', {}),
    ('abab', 'ttvv', {2: 'train', 3: 'train'}),
    ('abac', 'vttv', {2: 'validation'}),
    ('aabb', 'ttvv', {}),
    ('a.a.', 'tvtt', {}),
    ('aaab', 'vtvt', {1: 'validation'}),
  ],
)
def test_a_group_follows_its_first_image(contents, sides, expected):
  assert moves(contents, sides) == expected


def test_no_class_loses_its_training_images():
  assert moves('aab', 'vtt', [0, 0, 1]) == {0: 'train'}
  # The class of image 1 would have no images in train, though that of image 0 would.
  assert moves('aabb', 'vttt', [0, 1, 0, 0]) == {0: 'train'}
  # Two groups could leave one by one, but not both.
  assert moves('aabb', 'vtvt') == {1: 'validation', 2: 'train'}


def pixels_of(number, copies, large):
  """Every `copies` images in a row are equal."""
  return fabricated.pixels(number // copies, *((130, 140) if large else (6, 7)))


def read(number, copies, large):
  pixels = pixels_of(number, copies, large)
  return fabricated.encoded(pixels, 'JPEG' if large else ('PNG', 'TIFF')[number % 2])


def source(count, copies, large=False):
  images = [
    LabeledImage(f'{i:03}.x', i // copies % 2, functools.partial(read, i, copies, large))
    for i in range(count)
  ]
  return Source('folder', ('a', 'b'), {'train': images}, mirror_safe=True)


def read_split(folder, m, split):
  """Returns names and encoded images of a split, in order."""
  examples = [
    example_proto.decode_example(record)
    for path in manifest.shard_paths(folder, m, split)
    for _, record in record_framing.iterate_records(path)
  ]
  return [(e['image/filename'][0].decode(), e['image/encoded'][0]) for e in examples]


def names_of(folder, m, split):
  return [name for name, _ in read_split(folder, m, split)]


@pytest.mark.parametrize('large', [False, True])
def test_equal_images_are_in_one_split_and_everything_fits_them(tmp_path, monkeypatch, large):
  monkeypatch.setattr(shard_plans, '_SAMPLED_SPLIT', 8)
  monkeypatch.setattr(shard_plans, '_COUNTED_BY_PIXEL', 8)
  images = source(40, 2, large)
  folder = tmp_path / 'out'
  rule = SplitRule(0.4)
  m = converter.convert(images, folder, converter.Options(rule, num_shards=3))
  manifest.check_checksums(folder, m)
  names = {split: names_of(folder, m, split) for split in m.splits}
  assert sorted(names['train'] + names['validation']) == [f'{i:03}.x' for i in range(40)]
  pairs = {split: {int(name[:3]) // 2 for name in names[split]} for split in names}
  assert not pairs['train'] & pairs['validation']
  assert names['validation'] == sorted(names['validation'])
  assert m.splits['train'].num_examples == len(names['train'])
  labels = collections.Counter(int(name[:3]) // 2 % 2 for name in names['train'])
  assert m.splits['train'].examples_per_class == (labels[0], labels[1])
  if not large:  # of large JPEG files, means of 8x8 blocks are counted
    train = [pixels_of(int(name[:3]), 2, large).reshape(-1, 3) for name in names['train']]
    np.testing.assert_allclose(m.rgb_mean, np.concatenate(train).mean(0), rtol=1e-12)
  with (folder / 'duplicates.csv').open(newline='') as stream:
    rows = list(csv.DictReader(stream))
  assert len(rows) == 40
  assert {row['file']: row['split'] for row in rows} == {
    name: split for split in names for name in names[split]
  }
  assert 'Groups across splits: 0' in (folder / 'report.html').read_text()


def test_the_same_bytes_after_an_interruption_and_with_more_workers(tmp_path, monkeypatch):
  images = source(24, 3)
  options = converter.Options(SplitRule(0.4), num_shards=2)
  converter.convert(images, tmp_path / 'one', options)
  converter.convert(images, tmp_path / 'two', options, num_workers=2)

  rewrite = regrouping._rewrite
  calls = []

  def stop(*arguments):
    if calls:
      raise KeyboardInterrupt
    calls.append(arguments)
    return rewrite(*arguments)

  monkeypatch.setattr(regrouping, '_rewrite', stop)
  with pytest.raises(KeyboardInterrupt):
    converter.convert(images, tmp_path / 'three', options)
  monkeypatch.undo()
  converter.convert(images, tmp_path / 'three', options)
  for path in (tmp_path / 'one').iterdir():
    for other in ('two', 'three'):
      assert (tmp_path / other / path.name).read_bytes() == path.read_bytes(), path.name


def test_each_image_may_be_drawn_on_its_own(tmp_path):
  rule = SplitRule(0.4, duplicates_together=False)
  m = converter.convert(source(40, 2), tmp_path / 'out', converter.Options(rule))
  assert m.splits['validation'].num_examples == 16
  assert 'Groups across splits: 0' not in (tmp_path / 'out' / 'report.html').read_text()


def test_images_without_duplicates_stay_where_they_were_drawn(tmp_path):
  shards = []
  for together in (True, False):
    folder = tmp_path / f'{together}'
    rule = SplitRule(0.4, duplicates_together=together)
    m = converter.convert(source(20, 1), folder, converter.Options(rule))
    shards.append(m.splits)
  assert shards[0] == shards[1]


def test_a_broken_image_keeps_its_place_in_the_audit(tmp_path):
  images = source(24, 2)
  train = list(images.splits['train'])
  train[5] = train[5]._replace(read=functools.partial(bytes, 3))
  train[16] = train[16]._replace(read=functools.partial(bytes, 3))
  broken = Source('folder', ('a', 'b'), {'train': train}, mirror_safe=True)
  m = converter.convert(broken, tmp_path / 'out', converter.Options(SplitRule(0.4), num_shards=2))
  names = {split: names_of(tmp_path / 'out', m, split) for split in m.splits}
  assert sorted(sum(names.values(), [])) == [f'{i:03}.x' for i in range(24) if i not in (5, 16)]
  for split in names:
    for name, encoded in read_split(tmp_path / 'out', m, split):
      np.testing.assert_array_equal(
        host.decode_rgb(encoded), pixels_of(int(name[:3]), 2, False), name
      )
