import pickle

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.sources import labeled_images
from vgg_slim.errors import DataError

NAMES = ('a', 'b')


def arrays(count=3):
  images = fabricated.pixels(0, height=4 * count).reshape(count, 4, 7, 3)
  return {'train': (images, np.arange(count) % 2)}


def test_images_of_an_array():
  source = labeled_images.from_arrays('npz', NAMES, arrays(), mirror_safe=False)
  images = source.splits['train']
  assert [(image.name, image.label) for image in images] == [
    ('train/00000', 0),
    ('train/00001', 1),
    ('train/00002', 0),
  ]
  sent = pickle.loads(pickle.dumps(images[1]))
  np.testing.assert_array_equal(sent.read(), arrays()['train'][0][1])
  # Only one image is pickled, not the array.
  assert (
    len(
      pickle.dumps(
        labeled_images.from_arrays(
          'npz',
          NAMES,
          {'train': (np.zeros((9999, 2, 2), np.uint8), np.zeros(9999, np.uint8))},
          True,
        ).splits['train'][5]
      )
    )
    < 500
  )


def test_fingerprint_depends_on_pixels_labels_and_shape():
  fingerprints = set()
  for change in ('none', 'pixel', 'label', 'count'):
    changed = arrays(4 if change == 'count' else 3)
    images, labels = changed['train']
    images[0, 0, 0, 0] ^= change == 'pixel'
    labels[0] ^= change == 'label'
    fingerprints.add(labeled_images.from_arrays('npz', NAMES, changed, True).fingerprint)
  assert len(fingerprints) == 4
  assert labeled_images.from_arrays('npz', NAMES, arrays(), True).fingerprint in fingerprints


def test_a_label_without_a_class_is_an_error():
  with pytest.raises(DataError, match='train: label 1 occurs, but the classes are only 0 to 0'):
    labeled_images.from_arrays('npz', NAMES[:1], arrays(), True)


def test_labels_follow_the_order_of_the_classes_that_are_given():
  source = labeled_images.from_arrays('npz', NAMES, arrays(), mirror_safe=False)
  given = labeled_images.with_classes(source, ['b', 'c', 'a'])
  assert (given.class_names, given.classes_given) == (('b', 'c', 'a'), True)
  assert [image.label for image in given.splits['train']] == [2, 0, 2]
  assert [image.name for image in given.splits['train']][1] == 'train/00001'
  with pytest.raises(DataError, match='npz has classes that --labels does not name: b'):
    labeled_images.with_classes(source, ['a', 'c'])


def test_images_in_files(tmp_path):
  (tmp_path / 'a').mkdir()
  (tmp_path / 'a' / '1.png').write_bytes(b'one')
  images = labeled_images.FileImages(tmp_path, ['a/1.png', 'a/2.png'], [0, 1], 'train/')
  assert len(images) == 2
  sent = pickle.loads(pickle.dumps(images[0]))
  assert (sent.name, sent.label, sent.read()) == ('train/a/1.png', 0, b'one')
  with pytest.raises(FileNotFoundError):
    images[1].read()


def test_fingerprint_of_missing_files(tmp_path):
  paths = [tmp_path / 'x']
  before = labeled_images.fingerprint_files(paths)
  (tmp_path / 'x').write_text('1')
  assert labeled_images.fingerprint_files(paths) != before
