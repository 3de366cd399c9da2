import pickle

import pytest

from tests.preprocessing.graph_test import encode, photo
from vgg_slim.compat import tf
from vgg_slim.data.conversion import converter
from vgg_slim.data.sources import catalog, foreign_records
from vgg_slim.errors import DataError

IMAGES = [encode(photo(18, 19 + i), 'JPEG' if i % 2 else 'PNG') for i in range(12)]


def write(path, labels, keys=('image/encoded', 'image/class/label'), **others):
  """Writes records with TensorFlow's own protocol buffers, the i-th image with labels[i]."""
  features = {
    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    for name, value in others.items()
  }
  with tf.io.TFRecordWriter(str(path)) as writer:
    for image, label in zip(IMAGES, labels, strict=False):
      features[keys[0]] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
      features[keys[1]] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
      writer.write(
        tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
      )


def labels_of(source, split='train'):
  return [image.label for image in source.splits[split]]


def test_flowers_in_the_format_of_slim(tmp_path):
  for shard in range(2):
    path = tmp_path / f'flowers_train_0000{shard}-of-00002.tfrecord'
    write(path, [0, 1, 2, 0], **{'image/format': b'jpg'})
  write(tmp_path / 'flowers_validation_00000-of-00001.tfrecord', [2, 1])
  write(tmp_path / 'flowers_test_00000-of-00001.tfrecord', [1])
  (tmp_path / 'labels.txt').write_text('0:daisy\n1:dandelion\n2:roses\n')
  source = catalog.open_source('tfrecord', tmp_path)
  assert source.class_names == ('daisy', 'dandelion', 'roses')
  assert labels_of(source) == [0, 1, 2, 0] * 2
  assert labels_of(source, 'validation') == [2, 1]
  assert labels_of(source, 'test') == [1]
  assert (source.dataset, source.mirror_safe) == ('tfrecord', True)
  images = pickle.loads(pickle.dumps(source.splits['train']))  # as worker processes receive them
  assert [image.read() for image in images] == IMAGES[:4] * 2
  assert len({image.name for image in images}) == 8


@pytest.mark.parametrize(
  ('word', 'split'),
  [
    ('train', 'train'),
    ('validation', 'validation'),
    ('valid', 'validation'),
    ('val', 'validation'),
  ],
)
def test_words_that_name_a_split(tmp_path, word, split):
  write(tmp_path / 'train-00000-of-00001', [0, 1])
  write(tmp_path / f'flowers-{word}.tfrecord', [1, 0])
  source = catalog.open_source('tfrecord', tmp_path)
  assert set(source.splits) == {'train', split}
  assert sum(map(len, source.splits.values())) == 4


@pytest.mark.parametrize('name_key', ['image/filename', 'file_name', 'filename'])
def test_tfds_keys_and_names(tmp_path, name_key):
  write(
    tmp_path / 'cats_vs_dogs-train.tfrecord-00000-of-00001',
    [1, 0],
    keys=('image', 'label'),
    **{name_key: b'PetImages/1.jpg'},
  )
  (tmp_path / 'label.labels.txt').write_text('cat\ndog\n')
  source = catalog.open_source('tfrecord', tmp_path)
  assert source.class_names == ('cat', 'dog')
  assert labels_of(source) == [1, 0]
  assert source.splits['train'][0].name.endswith('0000000/PetImages/1.jpg')


def test_conversion_keeps_image_bytes_and_quarantines_damaged_records(tmp_path):
  path = tmp_path / 'flowers_train_00000-of-00001.tfrecord'
  write(path, [0, 1] * 6)
  data = bytearray(path.read_bytes())
  data[data.index(IMAGES[4]) + 100] ^= 1
  path.write_bytes(data)
  source = catalog.open_source('tfrecord', tmp_path)
  converter.convert(source, tmp_path / 'converted', num_workers=1)
  converted = catalog.open_source('tfrecord', tmp_path / 'converted')
  images = [image.read() for split in converted.splits.values() for image in split]
  assert sorted(images) == sorted(IMAGES[:4] + IMAGES[5:])
  assert 'damaged' in (tmp_path / 'converted' / 'quarantine.csv').read_text()


@pytest.mark.parametrize(
  ('labels', 'names', 'expected'),
  [
    (range(1, 1001), ['background', *map(str, range(1000))], 1),
    (range(1, 1001), [], 1),
    (range(1, 1001), map(str, range(1000)), 1),
    (range(1000), [], 0),
    (range(1001), ['background', *map(str, range(1000))], 0),
    ([1, 2], ['a', 'b', 'c'], 0),  # class 0 has no images
    ([2, 3], ['a', 'b', 'c'], 0),
  ],
)
def test_label_offset(labels, names, expected):
  assert foreign_records.label_offset(list(labels), list(names)) == expected


class TestClassNames:
  def test_background_is_dropped(self, tmp_path):
    write(tmp_path / 'train-00000-of-00001', [1, 2, 3])
    (tmp_path / 'labels.txt').write_text('0:background\n1:tench\n2:goldfish\n3:shark\n')
    source = catalog.open_source('tfrecord', tmp_path)
    assert source.class_names == ('tench', 'goldfish', 'shark')
    assert labels_of(source) == [0, 1, 2]

  def test_labels_serve_as_names_if_there_are_none(self, tmp_path):
    write(tmp_path / 'train-00000-of-00001', [1, 2, 1])
    source = catalog.open_source('tfrecord', tmp_path)
    assert source.class_names == ('1', '2')
    assert labels_of(source) == [0, 1, 0]

  def test_names_in_records_get_labels_appended_if_not_unique(self, tmp_path):
    for label, text in enumerate((b'crane', b'tench', b'crane')):
      write(tmp_path / f'train-0000{label}-of-00003', [label], **{'image/class/text': text})
    source = catalog.open_source('tfrecord', tmp_path)
    assert source.class_names == ('crane 0', 'tench', 'crane 2')


def _damage(folder):
  path = folder / 'train-00000-of-00001'
  write(path, [0, 1])
  path.write_bytes(path.read_bytes()[:-9])


def _empty_validation(folder):
  write(folder / 'train-00000-of-00001', [0, 1])
  write(folder / 'val-00000-of-00001', [])


def _too_few_names(folder):
  write(folder / 'train-00000-of-00001', [0, 2])
  (folder / 'labels.txt').write_text('0:a\n1:b\n')


@pytest.mark.parametrize(
  ('make', 'message'),
  [
    (lambda folder: None, 'has no records for train; expected file names such as'),
    (lambda folder: write(folder / 'val-00000-of-00001', [0]), 'has no records for train'),
    (_empty_validation, 'has no records for validation; expected file names such as'),
    (
      lambda folder: write(folder / 'all-00000-of-00001', [0, 1]),
      'file name must contain the name of a split',
    ),
    (
      lambda folder: write(folder / 'train-00000-of-00001', [0], keys=('pixels', 'label')),
      'train-00000-of-00001, record at byte 0: .* under image/encoded or image, .* label, pixels',
    ),
    (
      lambda folder: (folder / 'train-00000-of-00001').write_bytes(b'\xff\xd8\xff\xe0 no records'),
      'train-00000-of-00001, byte 0: not an uncompressed TFRecord file',
    ),
    (_damage, 'train-00000-of-00001, byte [1-9][0-9]*: the file ends inside a record'),
    (_too_few_names, 'labels range from 0 to 2, but there are names for 2 classes'),
    (
      lambda folder: write(folder / 'train-00000-of-00001', [0, 2]),
      'only 2 of them occur, and there is no labels.txt that names',
    ),
  ],
)
def test_problems_are_reported_in_one_line(tmp_path, make, message):
  make(tmp_path)
  with pytest.raises(DataError, match=message) as caught:
    catalog.open_source('tfrecord', tmp_path)
  assert '\n' not in str(caught.value)
