import collections
import functools
import hashlib
import io
import math
import multiprocessing
import os
import signal

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.compat import tf
from vgg_slim.data import conversion, manifest, pictures, sources
from vgg_slim.errors import ConfigError, DataError


def make_source(counts, **other_splits):
  """A source of distinct 3x4 grey pictures; counts[i] of class i in train, alike in the others."""

  def images(split, counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [
      sources.LabeledImage(f'{split}/{i:05d}', label, functools.partial(read, split, i))
      for i, label in enumerate(labels)
    ]

  def read(split, i):
    return pictures.encode_png(fabricated.pixels([i, len(split)], 3, 4, channels=1))

  splits = {name: images(name, c) for name, c in {'train': counts, **other_splits}.items()}
  names = tuple('abcdefgh'[: len(counts)])
  return sources.Source('folder', names, splits, mirror_safe=True)


def read_split(data_dir, m, split):
  """The Examples of a split as {feature: value}, in order."""
  examples = []
  for path in manifest.shard_paths(data_dir, m, split):
    for record in tf.io.tf_record_iterator(path):
      features = tf.train.Example.FromString(record).features.feature
      examples.append(
        {
          name.removeprefix('image/'): (value.bytes_list.value or value.int64_list.value)[0]
          for name, value in features.items()
        }
      )
  return examples


def labels_of(data_dir, m, split):
  return [example['class/label'] for example in read_split(data_dir, m, split)]


def test_jpeg_bytes_arrive_untouched(tmp_path):
  root = tmp_path / 'photos'
  fabricated.write_image_folder(root, {'cat': 3, 'dog': 4}, 'JPEG', '.JPG')
  m = conversion.convert(sources.open_source('folder', root), tmp_path / 'out', 0.25)
  assert manifest.read_manifest(tmp_path / 'out') == m
  manifest.check_checksums(tmp_path / 'out', m)
  examples = read_split(tmp_path / 'out', m, 'train') + read_split(
    tmp_path / 'out', m, 'validation'
  )
  assert len(examples) == 7
  for example in examples:
    name = example['filename'].decode()
    assert example['encoded'] == (root / name).read_bytes()
    assert example['class/text'].decode() == name.split('/')[0]
    assert example['class/label'] == ['cat', 'dog'].index(name.split('/')[0])
    assert (example['format'], example['height'], example['width']) == (b'jpeg', 5, 7)
  assert len({example['filename'] for example in examples}) == 7
  assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
    'labels.txt',
    'manifest.json',
    'train-00000-of-00001.tfrecord',
    'validation-00000-of-00001.tfrecord',
  ]


def test_mean_and_std_are_those_of_the_train_split_by_loops(tmp_path):
  root = tmp_path / 'x'
  (root / 'a').mkdir(parents=True)
  (root / 'b').mkdir()
  for i in range(6):
    channels = 1 if i % 2 else 3
    array = fabricated.pixels(i, height=3 + i, width=9 - i, channels=channels)
    (root / 'ab'[i // 3] / f'{i}.png').write_bytes(fabricated.encoded(array))
  m = conversion.convert(sources.open_source('folder', root), tmp_path / 'out', 1 / 3, seed=2)
  values = [[], [], []]
  for example in read_split(tmp_path / 'out', m, 'train'):
    image = np.asarray(Image.open(io.BytesIO(example['encoded'])))
    for row in image.reshape(-1, 1 if image.ndim == 2 else 3):
      for channel in range(3):
        values[channel].append(int(row[channel % len(row)]))
  for channel in range(3):
    n = len(values[channel])
    mean = math.fsum(values[channel]) / n
    variance = math.fsum((value - mean) ** 2 for value in values[channel]) / n
    assert m.rgb_mean[channel] == mean
    # The loop rounds at every pixel, the library at the last division only.
    assert m.rgb_std[channel] == pytest.approx(math.sqrt(variance), rel=1e-12)
  np.testing.assert_allclose(m.rgb_covariance, np.cov(values, bias=True), rtol=1e-12)
  assert m.rgb_mean[0] != m.rgb_mean[1]
  assert (m.smallest_side, m.largest_side, m.same_size) == (3, 9, False)


def test_mean_of_one_known_pixel_value(tmp_path):
  source = make_source((2, 2))
  grey = pictures.encode_png(np.full((2, 3), 200, np.uint8))
  images = [image._replace(read=lambda: grey) for image in source.splits['train']]
  m = conversion.convert(
    sources.Source('folder', ('a', 'b'), {'train': images}, False), tmp_path / 'out', 0
  )
  assert (m.rgb_mean, m.rgb_std) == ((200.0, 200.0, 200.0), (0.0, 0.0, 0.0))
  assert (m.smallest_side, m.largest_side, m.same_size, m.mirror_safe) == (2, 3, True, False)


def test_stratification_counts_by_hand(tmp_path):
  # 10, 20 and 5 pictures, a fifth of each: 2, 4 and 1, in all ceil(0.2 * 35) = 7.
  m = conversion.convert(make_source((10, 20, 5), test=(1, 0, 2)), tmp_path / 'out')
  assert m.validation_fraction == 0.2
  assert {name: split.examples_per_class for name, split in m.splits.items()} == {
    'train': (8, 16, 4),
    'validation': (2, 4, 1),
    'test': (1, 0, 2),
  }
  names = {
    split: [example['filename'].decode() for example in read_split(tmp_path / 'out', m, split)]
    for split in m.splits
  }
  assert sorted(names['train'] + names['validation']) == [f'train/{i:05d}' for i in range(35)]
  assert names['validation'] == sorted(names['validation'])
  assert names['test'] == ['test/00000', 'test/00001', 'test/00002']
  assert names['train'] != sorted(names['train'])
  for split, counts in (('train', (8, 16, 4)), ('validation', (2, 4, 1))):
    assert collections.Counter(labels_of(tmp_path / 'out', m, split)) == dict(enumerate(counts))


def test_565_birds_become_452_and_113():
  splits = conversion.split_source(make_source((150, 140, 145, 130)), 0.2, seed=123)
  assert {name: len(images) for name, images in splits.items()} == {'train': 452, 'validation': 113}


def test_every_shard_mixes_classes(tmp_path):
  m = conversion.convert(make_source((60, 60)), tmp_path / 'out', 0, num_shards=4)
  labels = labels_of(tmp_path / 'out', m, 'train')
  assert len(m.splits['train'].shards) == 4
  assert list(m.splits) == ['train']
  for shard in range(4):
    # 30 draws of 60 + 60: fewer than 6 of a class has a probability below 1 in 4000.
    assert 6 <= sum(labels[30 * shard : 30 * (shard + 1)]) <= 24


def digests(folder):
  return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_same_arguments_give_the_same_bytes_another_seed_others(tmp_path):
  for name, seed in (('one', 5), ('two', 5), ('three', 6)):
    conversion.convert(make_source((6, 7), test=(2, 2)), tmp_path / name, seed=seed, num_shards=2)
  assert digests(tmp_path / 'one') == digests(tmp_path / 'two')
  one, three = digests(tmp_path / 'one'), digests(tmp_path / 'three')
  assert {name for name in one if one[name] == three[name]} == {
    'labels.txt',
    'test-00000-of-00001.tfrecord',
  }


def test_own_validation_split_is_kept(tmp_path):
  source = make_source((4, 4), validation=(1, 2))
  m = conversion.convert(source, tmp_path / 'out')
  assert m.validation_fraction == 0
  assert m.splits['train'].examples_per_class == (4, 4)
  assert m.splits['validation'].examples_per_class == (1, 2)
  with pytest.raises(ConfigError, match='validation_fraction must be 0 or left out, got 0.5'):
    conversion.convert(source, tmp_path / 'other', 0.5)


def test_number_of_shards_by_default(tmp_path, monkeypatch):
  m = conversion.convert(make_source((600, 600)), tmp_path / 'a', 0.1)
  assert {name: len(split.shards) for name, split in m.splits.items()} == {
    'train': 4,
    'validation': 1,
  }
  # 2.2 shards of train, and of test 16 / 40 of that: 0.88.
  source = make_source((20, 20), test=(8, 8))
  num_bytes = sum(len(image.read()) for image in source.splits['train'])
  monkeypatch.setattr(conversion, '_SHARD_BYTES', num_bytes / 2.2)
  m = conversion.convert(source, tmp_path / 'b', 0)
  assert {name: len(split.shards) for name, split in m.splits.items()} == {'train': 3, 'test': 1}


def test_shards_of_the_other_splits_are_in_proportion(tmp_path):
  m = conversion.convert(make_source((10, 10), test=(3, 2)), tmp_path / 'out', 0, num_shards=8)
  assert {name: len(split.shards) for name, split in m.splits.items()} == {'train': 8, 'test': 2}


def test_progress_counts_every_picture_of_every_split(tmp_path):
  calls = []
  conversion.convert(
    make_source((4, 4), test=(1, 1)), tmp_path / 'out', progress=lambda *call: calls.append(call)
  )
  assert calls == [(i, 10) for i in range(1, 11)]


@pytest.mark.parametrize(
  ('counts', 'arguments', 'error', 'message'),
  [
    ((4, 4), {'validation_fraction': 1}, ConfigError, r'must be in \[0, 1\), got 1'),
    ((4, 4), {'validation_fraction': -0.1}, ConfigError, r'must be in \[0, 1\), got -0.1'),
    ((4, 4), {'validation_fraction': math.nan}, ConfigError, r'must be in \[0, 1\), got nan'),
    ((4, 4), {'validation_fraction': 0.1}, ConfigError, '7 for training and 1 for validation'),
    ((4, 4), {'validation_fraction': 0.9}, ConfigError, '0 for training and 8 for validation'),
    ((40, 2), {'validation_fraction': 0.9}, ConfigError, '1 classes without a training picture'),
    ((4, 1, 1), {}, DataError, r'at least 2 training pictures, .*: b \(1\), c \(1\)\.'),
    ((4, 0), {'validation_fraction': 0}, DataError, r'at least 1 training pictures; .*: b \(0\)'),
    ((4, 4), {'seed': -1}, ConfigError, r'seed must be in \[0, 2147483647\], got -1'),
    ((4, 4), {'num_shards': 0}, ConfigError, r'num_shards must be in \[1, 6\]'),
    ((4, 4), {'num_shards': 7}, ConfigError, r'num_shards must be in \[1, 6\], .* got 7'),
  ],
)
def test_arguments_out_of_range(tmp_path, counts, arguments, error, message):
  with pytest.raises(error, match=message):
    conversion.convert(make_source(counts), tmp_path / 'out', **arguments)
  assert not list(tmp_path.iterdir())


def test_an_empty_split_is_named(tmp_path):
  with pytest.raises(DataError, match="Split 'test' of folder has no pictures"):
    conversion.convert(make_source((4, 4), test=(0, 0)), tmp_path / 'out')


def test_an_output_that_exists_is_left_alone(tmp_path):
  (tmp_path / 'out').mkdir()
  with pytest.raises(DataError, match='out cannot be written: exists already'):
    conversion.convert(make_source((4, 4)), tmp_path / 'out')
  assert not list((tmp_path / 'out').iterdir())


def test_an_output_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / 'file').write_text('x')
  with pytest.raises(DataError, match='file/out cannot be written: .*File exists: .*file'):
    conversion.convert(make_source((4, 4)), tmp_path / 'file' / 'out')


@pytest.mark.parametrize(
  ('data', 'reason'),
  [
    (b'', 'the file is empty'),
    (b'<html>', 'not a picture that Pillow can read'),
    (fabricated.encoded(fabricated.pixels(0, 64, 64), 'JPEG')[:-900], 'truncated'),
  ],
)
def test_a_broken_picture_is_named_and_leaves_nothing(tmp_path, data, reason):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 3, 'b': 3})
  (root / 'b' / '001.png').write_bytes(data)
  with pytest.raises(DataError, match=rf'Picture b/001\.png: .*{reason}'):
    conversion.convert(sources.open_source('folder', root), tmp_path / 'out')
  assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_a_picture_that_went_away_is_named_and_leaves_nothing(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 3, 'b': 3})
  source = sources.open_source('folder', root)
  (root / 'a' / '002.png').unlink()
  with pytest.raises(DataError, match=r'Picture a/002\.png cannot be read: .*No such file'):
    conversion.convert(source, tmp_path / 'out')
  assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_an_interrupt_mid_way_leaves_nothing(tmp_path):
  def interrupt(done, _):
    if done == 5:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    conversion.convert(make_source((4, 4)), tmp_path / 'out', progress=interrupt)
  assert not list(tmp_path.iterdir())


def test_a_killed_conversion_leaves_nothing_that_looks_whole(tmp_path):
  def kill(done, _):
    if done == 5:
      os.kill(os.getpid(), signal.SIGKILL)

  # Forked, as a new process would spend seconds on loading TensorFlow.
  child = multiprocessing.get_context('fork').Process(
    target=conversion.convert,
    args=(make_source((4, 4)), tmp_path / 'out'),
    kwargs={'progress': kill},
  )
  child.start()
  child.join(timeout=30)
  assert child.exitcode == -signal.SIGKILL
  (left,) = tmp_path.iterdir()
  assert left.name.endswith('.partial')
  assert not (left / 'manifest.json').exists()
  conversion.convert(make_source((4, 4)), tmp_path / 'out')
  manifest.read_manifest(tmp_path / 'out')
