import collections
import contextlib
import errno
import hashlib
import io
import math
import multiprocessing
import os
import re
import signal

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim import files
from vgg_slim.compat import tf
from vgg_slim.data import manifest
from vgg_slim.data.conversion import converter, shard_plans
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog
from vgg_slim.errors import ConfigError, DataError, UnfinishedError
from vgg_slim.preprocessing import png_files


def convert(
  source, folder, validation_fraction=None, seed=0, *, progress=None, num_workers=1, **options
):
  """Calls `converter.convert`, with the split rule as plain arguments."""
  options = converter.Options(SplitRule(validation_fraction, seed=seed), **options)
  return converter.convert(source, folder, options, num_workers, progress)


def read_split(data_dir, m, split):
  """Returns the Examples of a split as {feature: value}, in order."""
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


def test_jpeg_bytes_are_stored_untouched(tmp_path):
  root = tmp_path / 'photos'
  fabricated.write_image_folder(root, {'cat': 3, 'dog': 4}, 'JPEG', '.JPG')
  m = convert(catalog.open_source('folder', root), tmp_path / 'out', 0.25)
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
    'report.html',
    'train-00000-of-00001.tfrecord',
    'validation-00000-of-00001.tfrecord',
  ]


def test_mean_and_std_agree_with_loops_over_the_training_split(tmp_path):
  root = tmp_path / 'x'
  (root / 'a').mkdir(parents=True)
  (root / 'b').mkdir()
  for i in range(6):
    channels = 1 if i % 2 else 3
    array = fabricated.pixels(i, height=3 + i, width=9 - i, channels=channels)
    (root / 'ab'[i // 3] / f'{i}.png').write_bytes(fabricated.encoded(array))
  m = convert(catalog.open_source('folder', root), tmp_path / 'out', 1 / 3, seed=2)
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
    # The loop rounds at every pixel, the library only at the last division.
    assert m.rgb_std[channel] == pytest.approx(math.sqrt(variance), rel=1e-12)
  np.testing.assert_allclose(m.rgb_covariance, np.cov(values, bias=True), rtol=1e-12)
  assert m.rgb_mean[0] != m.rgb_mean[1]
  assert (m.smallest_side, m.largest_side, m.same_size) == (3, 9, False)


def test_statistics_from_a_sample_do_not_depend_on_the_shards(tmp_path, monkeypatch):
  monkeypatch.setattr(shard_plans, '_SAMPLED_SPLIT', 16)
  monkeypatch.setattr(shard_plans, '_COUNTED_BY_PIXEL', 4)
  root = tmp_path / 'x'
  for i in range(16):
    path = root / 'ab'[i % 2] / f'{i}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(fabricated.encoded(fabricated.pixels(i, 128, 136), 'JPEG'))
  # Images of the contact sheet would be decoded at full scale.
  monkeypatch.setattr(shard_plans, '_on_sheet', lambda plan, num_classes: set())
  source = catalog.open_source('folder', root)
  one = convert(source, tmp_path / 'one', 0, num_shards=1)
  three = convert(source, tmp_path / 'three', 0, num_shards=3)
  assert (one.rgb_mean, one.rgb_std) == (three.rgb_mean, three.rgb_std)
  pixels = np.concatenate([np.asarray(Image.open(path)) for path in root.rglob('*.jpg')])
  # The noise has one distribution in all images, so the sample is representative.
  np.testing.assert_allclose(one.rgb_mean, pixels.mean((0, 1)), atol=0.2)
  np.testing.assert_allclose(one.rgb_std, pixels.std((0, 1)), rtol=0.01)
  assert '<td>75%</td>' in (tmp_path / 'one' / 'report.html').read_text()


def test_a_folder_that_tensorflow_could_not_open_is_refused(tmp_path):
  source = catalog.open_source('digits')
  with pytest.raises(ConfigError, match='the name is not UTF-8, which TensorFlow needs'):
    converter.convert(source, tmp_path / 'caf\udce9')
  assert not list(tmp_path.iterdir())


def test_mean_of_one_known_pixel_value(tmp_path):
  source = fabricated.source((2, 2))
  gray = png_files.encode(np.full((2, 3), 200, np.uint8))
  images = [image._replace(read=lambda: gray) for image in source.splits['train']]
  m = convert(catalog.Source('folder', ('a', 'b'), {'train': images}, False), tmp_path / 'out', 0)
  assert (m.rgb_mean, m.rgb_std) == ((200.0, 200.0, 200.0), (0.0, 0.0, 0.0))
  assert (m.smallest_side, m.largest_side, m.same_size, m.mirror_safe) == (2, 3, True, False)


def test_stratified_counts_agree_with_hand_arithmetic(tmp_path):
  # A fifth of 10, 20 and 5 images is 2, 4 and 1; ceil(0.2 * 35) = 7 in total.
  m = convert(fabricated.source((10, 20, 5), test=(1, 0, 2)), tmp_path / 'out')
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


def test_every_shard_mixes_classes(tmp_path):
  m = convert(fabricated.source((60, 60)), tmp_path / 'out', 0, num_shards=4)
  labels = labels_of(tmp_path / 'out', m, 'train')
  assert len(m.splits['train'].shards) == 4
  assert list(m.splits) == ['train']
  for shard in range(4):
    # 30 draws from 60 + 60: the probability of fewer than 6 of a class is below 1 in 4000.
    assert 6 <= sum(labels[30 * shard : 30 * (shard + 1)]) <= 24


def digests(folder):
  return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_bytes_depend_on_the_arguments_and_the_seed_only(tmp_path):
  for name, seed in (('one', 5), ('two', 5), ('three', 6)):
    convert(fabricated.source((6, 7), test=(2, 2)), tmp_path / name, seed=seed, num_shards=2)
  assert digests(tmp_path / 'one') == digests(tmp_path / 'two')
  one, three = digests(tmp_path / 'one'), digests(tmp_path / 'three')
  assert {name for name in one if one[name] == three[name]} == {
    'labels.txt',
    'test-00000-of-00001.tfrecord',
  }


def test_validation_split_of_the_source_is_kept(tmp_path):
  source = fabricated.source((4, 4), validation=(1, 2))
  m = convert(source, tmp_path / 'out')
  assert m.validation_fraction == 0
  assert m.splits['train'].examples_per_class == (4, 4)
  assert m.splits['validation'].examples_per_class == (1, 2)
  with pytest.raises(ConfigError, match='validation_fraction must be 0 or left out, got 0.5'):
    convert(source, tmp_path / 'other', 0.5)


def test_progress_counts_every_image_of_every_split(tmp_path, monkeypatch):
  monkeypatch.setattr(shard_plans, '_TASK_IMAGES', 3)
  calls = []
  convert(
    fabricated.source((4, 4), test=(1, 1)),
    tmp_path / 'out',
    progress=lambda *call: calls.append(call),
  )
  assert calls == [(0, 10), (3, 10), (6, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'validation_fraction': 1}, r'validation_fraction must be in \[0, 1\), got 1'),
    ({'num_shards': 7}, r'num_shards must be in \[1, 6\], .* got 7'),
    ({'smaller_side': 0}, 'resize_smaller_side must be at least 1, got 0'),
    ({'pixel_range': (5, 5)}, 'pixel_range must be two increasing numbers'),
    ({'max_megapixels': 0}, 'max_megapixels must be positive and at most 500, got 0'),
    ({'max_megapixels': 501}, 'max_megapixels must be positive and at most 500, got 501'),
    ({'num_workers': 0}, r'num_workers must be in \[1, 1024\], got 0'),
    ({'num_workers': 1025}, r'num_workers must be in \[1, 1024\], got 1025'),
  ],
)
def test_out_of_range_arguments_are_refused(tmp_path, arguments, message):
  with pytest.raises(ConfigError, match=message):
    convert(fabricated.source((4, 4)), tmp_path / 'out', **arguments)
  assert not list(tmp_path.iterdir())


def test_a_smaller_side_of_one_pixel_is_allowed():
  assert converter.Options(smaller_side=1).smaller_side == 1


def test_an_empty_split_is_named(tmp_path):
  with pytest.raises(DataError, match="Split 'test' of folder has no images"):
    convert(fabricated.source((4, 4), test=(0, 0)), tmp_path / 'out')


def test_an_existing_output_folder_is_left_alone(tmp_path):
  (tmp_path / 'out').mkdir()
  with pytest.raises(DataError, match='out cannot be written: it exists already'):
    convert(fabricated.source((4, 4)), tmp_path / 'out')
  assert not list((tmp_path / 'out').iterdir())


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / 'file').write_text('x')
  with pytest.raises(DataError, match='file/out cannot be written: .*Not a directory'):
    convert(fabricated.source((4, 4)), tmp_path / 'file' / 'out')


def test_an_unusable_image_is_left_out_and_named(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 3, 'b': 3})
  (root / 'b' / '001.png').write_bytes(b'<html>')
  source = catalog.open_source('folder', root)
  (root / 'a' / '002.png').unlink()
  m = convert(source, tmp_path / 'out', 0)
  assert m.splits['train'].examples_per_class == (2, 2)
  assert m.splits['train'].num_examples == len(read_split(tmp_path / 'out', m, 'train')) == 4
  lines = (tmp_path / 'out' / 'quarantine.csv').read_text().splitlines()
  assert lines[0] == 'file,class,reason'
  assert sorted(lines[1:])[0].startswith('a/002.png,a,[Errno 2] No such file')
  assert sorted(lines[1:])[1].startswith('b/001.png,b,a web page instead of an image')


def test_strict_fails_on_an_unusable_image_and_leaves_nothing(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 5, 'b': 5})
  names = [f'{label}/{i:03}.png' for label in 'ab' for i in range(5)]
  for name in names:  # in the shards of both splits
    (root / name).write_bytes(b'')
  with pytest.raises(DataError, match='cannot be used: .*the file is empty') as caught:
    convert(catalog.open_source('folder', root), tmp_path / 'out', strict=True)
  assert all(name in str(caught.value) for name in names)
  assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_a_class_without_a_usable_image_is_an_error(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 3, 'b': 1})
  (root / 'b' / '000.png').write_bytes(b'')
  with pytest.raises(DataError, match=r'class b has none for training\. .*b/000\.png: the file is'):
    convert(catalog.open_source('folder', root), tmp_path / 'out', 0)
  assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_larger_images_are_reduced(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 2, 'b': 2})
  (root / 'a' / 'large.png').write_bytes(fabricated.encoded(fabricated.pixels(9, 40, 90)))
  m = convert(catalog.open_source('folder', root), tmp_path / 'out', 0, smaller_side=20)
  sizes = {
    e['filename']: (e['height'], e['width']) for e in read_split(tmp_path / 'out', m, 'train')
  }
  assert sizes.pop(b'a/large.png') == (20, 45)
  assert set(sizes.values()) == {(5, 7)}
  assert m.largest_side == 45


@pytest.fixture(name='deep_folder')
def fixture_deep_folder(tmp_path):
  """Two classes of 12-bit values in 16-bit files, of which only one has large ones."""
  root = tmp_path / 'deep'
  for class_name, largest in (('a', 300), ('b', 3000)):
    (root / class_name).mkdir(parents=True)
    for i in range(3):
      values = np.linspace(0, largest + i, 12).reshape(3, 4).astype(np.uint16)
      (root / class_name / f'{i}.png').write_bytes(fabricated.encoded(values))
  (root / 'a' / 'plain.png').write_bytes(fabricated.encoded(fabricated.pixels(0)))
  return root


@pytest.mark.parametrize(
  ('options', 'recorded', 'shift'),
  [({}, (0, 4095), 4), ({'pixel_range': (0, 1023)}, (0, 1023), 2)],
)
def test_deep_images_share_the_range_of_their_data_set(
  tmp_path, deep_folder, options, recorded, shift
):
  source = catalog.open_source('folder', deep_folder)
  m = convert(source, tmp_path / 'out', 0, num_shards=3, **options)
  assert manifest.read_manifest(tmp_path / 'out').pixel_range == recorded == m.pixel_range
  for example in read_split(tmp_path / 'out', m, 'train'):
    got = np.asarray(Image.open(io.BytesIO(example['encoded'])))
    original = np.asarray(Image.open(deep_folder / example['filename'].decode()))
    if original.dtype == np.uint16:
      original = np.minimum(original >> shift, 255)
    np.testing.assert_array_equal(got, original)
  fixed = (tmp_path / 'out' / 'fixed.csv').read_text().splitlines()[1:]
  assert sorted(row.split('"')[1] for row in fixed) == [f'16 bit, 0..{recorded[1]}'] * 6


def test_a_second_pass_over_deep_images_that_was_interrupted_is_resumed(tmp_path, deep_folder):
  source = catalog.open_source('folder', deep_folder)
  convert(source, tmp_path / 'whole', 0, num_shards=3)
  calls = []

  def progress(done, _):
    calls.append(done)
    if len(calls) == 5:  # three shards were written; this is the second one of the second pass
      raise UnfinishedError('interrupted')

  with pytest.raises(UnfinishedError, match='Run the same command again'):
    convert(source, tmp_path / 'out', 0, num_shards=3, progress=progress)
  convert(source, tmp_path / 'out', 0, num_shards=3)
  assert digests(tmp_path / 'out') == digests(tmp_path / 'whole')


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 30, 'b': 30})
  (root / 'a' / '001.png').write_bytes(b'')
  (root / 'b' / '002.png').write_bytes((root / 'b' / '003.png').read_bytes())
  source = catalog.open_source('folder', root)
  for num_workers in (1, 2):
    convert(source, tmp_path / str(num_workers), num_workers=num_workers, num_shards=3)
  assert digests(tmp_path / '1') == digests(tmp_path / '2')
  assert {'quarantine.csv', 'duplicates.csv', 'report.html'} <= set(digests(tmp_path / '1'))


def stop_after(count, stop):
  """A progress function that stops the run when `count` images are done."""

  def progress(done, _):
    if done >= count:
      stop()

  return progress


def interrupt():
  raise KeyboardInterrupt


@pytest.fixture
def one_image_per_task(monkeypatch):
  monkeypatch.setattr(shard_plans, '_TASK_IMAGES', 1)


@pytest.mark.parametrize('suffix', ['', '.json'])
@pytest.mark.usefixtures('one_image_per_task')
def test_an_interrupted_conversion_resumes_with_the_missing_shards(tmp_path, suffix):
  source = fabricated.source((8, 8))
  convert(source, tmp_path / 'whole', 0, num_shards=4)
  with pytest.raises(KeyboardInterrupt):
    convert(source, tmp_path / 'out', 0, num_shards=4, progress=stop_after(10, interrupt))
  (left,) = (path for path in tmp_path.iterdir() if path.name.startswith('.'))
  assert not (left / 'manifest.json').exists()
  # Meanwhile the second of the two finished shards, or its journal entry, is truncated.
  (left / f'train-00001-of-00004.tfrecord{suffix}').write_bytes(b'')
  calls = []
  convert(source, tmp_path / 'out', 0, num_shards=4, progress=lambda *call: calls.append(call))
  assert calls == [(done, 16) for done in range(4, 17)]
  assert digests(tmp_path / 'out') == digests(tmp_path / 'whole')
  assert sorted(path.name for path in tmp_path.iterdir()) == ['out', 'whole']


def kill_a_worker():
  multiprocessing.active_children()[0].kill()


@pytest.mark.usefixtures('one_image_per_task')
def test_finished_shards_survive_a_killed_worker(tmp_path):
  source = fabricated.source((12, 12))
  convert(source, tmp_path / 'whole', 0, num_shards=6)
  # Results that a worker finished before its death may still arrive: 8 of 24 images, or a few more.
  with pytest.raises(UnfinishedError) as ended:
    convert(
      source,
      tmp_path / 'out',
      0,
      num_shards=6,
      num_workers=2,
      progress=stop_after(8, kill_a_worker),
    )
  assert re.search(
    r'A worker process died.*The conversion is not finished: [2-4] of 6 shards are written',
    str(ended.value),
  )
  calls = []
  convert(source, tmp_path / 'out', 0, num_shards=6, progress=lambda *call: calls.append(call))
  assert 8 <= calls[0][0] <= 16
  assert digests(tmp_path / 'out') == digests(tmp_path / 'whole')


def test_finished_shards_survive_a_full_disk(tmp_path, monkeypatch):
  source = fabricated.source((8, 8))
  convert(source, tmp_path / 'whole', 0, num_shards=4)
  open_atomic = files.open_atomic

  @contextlib.contextmanager
  def open_on_a_full_disk(path):
    with open_atomic(path) as stream:
      yield stream
      if path.name == 'train-00002-of-00004.tfrecord':
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

  monkeypatch.setattr(files, 'open_atomic', open_on_a_full_disk)
  with pytest.raises(
    UnfinishedError, match='No space left on device.*: 2 of 4 shards are written and'
  ):
    convert(source, tmp_path / 'out', 0, num_shards=4)
  monkeypatch.undo()
  convert(source, tmp_path / 'out', 0, num_shards=4)
  assert digests(tmp_path / 'out') == digests(tmp_path / 'whole')
  assert sorted(path.name for path in tmp_path.iterdir()) == ['out', 'whole']


@pytest.mark.usefixtures('one_image_per_task')
def test_shards_of_another_conversion_are_not_resumed(tmp_path):
  with pytest.raises(KeyboardInterrupt):
    convert(fabricated.source((8, 8)), tmp_path / 'out', 0, progress=stop_after(3, interrupt))
  convert(fabricated.source((8, 8)), tmp_path / 'out', 0, seed=1)
  convert(fabricated.source((8, 8)), tmp_path / 'fresh', 0, seed=1)
  assert digests(tmp_path / 'out') == digests(tmp_path / 'fresh')
  assert sorted(path.name for path in tmp_path.iterdir()) == ['fresh', 'out']


@pytest.mark.usefixtures('one_image_per_task')
def test_a_killed_conversion_leaves_nothing_that_looks_complete(tmp_path):
  kill = stop_after(5, lambda: os.kill(os.getpid(), signal.SIGKILL))
  # Forked because a new process would take seconds to load TensorFlow.
  child = multiprocessing.get_context('fork').Process(
    target=convert, args=(fabricated.source((4, 4)), tmp_path / 'out'), kwargs={'progress': kill}
  )
  child.start()
  child.join(timeout=30)
  assert child.exitcode == -signal.SIGKILL
  (left,) = tmp_path.iterdir()
  assert left.name.endswith('.partial')
  assert not (left / 'manifest.json').exists()
  convert(fabricated.source((4, 4)), tmp_path / 'out')
  manifest.read_manifest(tmp_path / 'out')


def test_classes_without_images_are_in_the_manifest(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'cat': 3, 'dog': 4})
  names = ('owl', 'dog', 'cat')
  m = convert(catalog.open_source('folder', root, names), tmp_path / 'out', 0.3)
  assert m.class_names == names
  assert m.splits['train'].examples_per_class[0] == 0
  assert sum(split.num_examples for split in m.splits.values()) == 7
  examples = read_split(tmp_path / 'out', m, 'train')
  assert {(e['class/text'], e['class/label']) for e in examples} == {(b'dog', 1), (b'cat', 2)}
