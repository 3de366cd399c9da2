import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.sources import npz_arrays
from vgg_slim.errors import DataError

RGB = fabricated.pixels(0, height=20).reshape(4, 5, 7, 3)
LABELS = np.array([0, 2, 1, 1])


def open_arrays(folder, **arrays):
  np.savez(folder / 'x.npz', **arrays)
  return npz_arrays.open_npz(folder / 'x.npz')


@pytest.mark.parametrize(
  'names',
  [
    {'x_train': RGB, 'y_train': LABELS, 'x_test': RGB[:2], 'y_test': LABELS[:2]},
    {
      'train_images': RGB,
      'train_labels': LABELS[:, np.newaxis],
      'val_images': RGB[2:],
      'val_labels': LABELS[2:, np.newaxis],
    },
    {'images': RGB, 'labels': LABELS.astype(np.uint8), 'class_names': ['a', 'b', 'c']},
    {'images': RGB, 'labels': LABELS, 'x_val': RGB[1:], 'y_val': LABELS[1:]},
    {'images': RGB, 'labels': LABELS, 'test_images': RGB[1:], 'test_labels': LABELS[1:]},
  ],
  ids=['keras', 'medmnist', 'plain', 'keras validation', 'medmnist test'],
)
def test_accepted_array_names(tmp_path, names):
  source = open_arrays(tmp_path, **names)
  images = source.splits['train']
  assert [image.label for image in images] == LABELS.tolist()
  np.testing.assert_array_equal(images[3].read(), RGB[3])
  assert source.class_names == (tuple('abc') if 'class_names' in names else tuple('012'))
  assert list(source.splits)[1:] in ([], ['test'], ['validation'])
  assert len(source.splits) == len([name for name in names if 'label' in name or 'y_' in name])


def test_gray_images_with_and_without_a_channel_axis(tmp_path):
  for images in (RGB[..., 0], RGB[..., :1]):
    source = open_arrays(tmp_path, images=images, labels=LABELS)
    np.testing.assert_array_equal(source.splits['train'][1].read(), RGB[1, ..., 0])
    assert not source.mirror_safe
  assert open_arrays(tmp_path, images=RGB, labels=LABELS).mirror_safe


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    ({'a': LABELS}, 'needs x_train and y_train or .*; it has a'),
    ({'x_test': RGB, 'y_test': LABELS}, 'needs x_train and y_train or .*; it has x_test, y_test'),
    ({'images': RGB, 'labels': np.stack([LABELS] * 2, 1)}, r'labels must be .* got int64 \[4, 2\]'),
    ({'images': RGB / 255, 'labels': LABELS}, 'images must be uint8 .*, got float64 .4, 5, 7, 3'),
    ({'images': RGB[..., :2], 'labels': LABELS}, r'got uint8 \[4, 5, 7, 2\]'),
    ({'images': RGB, 'labels': LABELS - 1}, 'labels must be non-negative integers'),
    ({'images': RGB, 'labels': LABELS / 1}, 'labels must be non-negative integers .* got float64'),
    ({'images': RGB, 'labels': LABELS[:3]}, 'images has 4 images, labels 3 labels'),
    ({'images': RGB, 'labels': np.array([{}] * 4)}, 'not a .npz file of plain arrays: .*pickle'),
  ],
)
def test_arrays_of_wrong_shapes_or_types(tmp_path, arrays, message):
  with pytest.raises(DataError, match=message):
    open_arrays(tmp_path, **arrays)


@pytest.mark.parametrize('data', [b'', b'PK\x03\x04broken', b'hello'])
def test_damaged_files(tmp_path, data):
  (tmp_path / 'x.npz').write_bytes(data)
  with pytest.raises(DataError, match='not a .npz file of plain arrays'):
    npz_arrays.open_npz(tmp_path / 'x.npz')


def test_a_single_array(tmp_path):
  np.save(tmp_path / 'x.npy', RGB)
  with pytest.raises(DataError, match='holds a single array'):
    npz_arrays.open_npz(tmp_path / 'x.npy')


@pytest.mark.parametrize('names', [np.array(3), np.array([b'a']), np.array(['a']).view('>U1')])
def test_class_names_that_are_no_texts_are_refused(tmp_path, names):
  with pytest.raises(DataError, match=r'x\.npz, class_names: '):
    open_arrays(tmp_path, images=RGB, labels=LABELS, class_names=names)


@pytest.mark.parametrize('shape', [(), (0,)])
def test_images_or_labels_that_are_no_lists_are_one_message(tmp_path, shape):
  with pytest.raises(DataError, match=r'images must be .*; labels must be .* got int64 \[\]'):
    open_arrays(tmp_path, images=np.zeros(shape), labels=np.int64(3))
