import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.data import example_proto
from vgg_slim.data.input import balancing

# No images of class 1; the rows of a class are spread over the split.
LABELS = np.array([0, 2, 0, 0, 3, 0, 2, 0, 0, 0, 0, 2, 0])
COUNTS = [9, 0, 3, 1]
NUM_ROWS = len(LABELS)


def elements(dataset, count):
  with graph_session() as session:
    iterator = tf.data.make_initializable_iterator(dataset())
    following = iterator.get_next()
    session.run(iterator.initializer)
    return np.array([session.run(following) for _ in range(count)])


def rows(count, first=0, seed=0):
  def build():
    return balancing.balanced_rows(tf.constant(LABELS), COUNTS, seed, first)

  return elements(build, count)


def test_every_class_comes_once_in_each_block():
  labels = LABELS[rows(60)].reshape(20, 3)
  assert (np.sort(labels, axis=1) == [0, 2, 3]).all()
  assert len({tuple(block) for block in labels}) == 6  # in every order


def test_every_image_of_a_class_comes_once_in_each_of_its_passes():
  drawn = rows(3 * 18)
  for label in (0, 2, 3):
    own = np.flatnonzero(label == LABELS)
    passes = drawn[LABELS[drawn] == label].reshape(-1, len(own))
    assert (np.sort(passes, axis=1) == own).all()
    if len(own) > 1:
      assert len({tuple(order) for order in passes}) > 1


@pytest.mark.parametrize('first', [1, 3, 13, 26, 47])
def test_a_run_that_starts_later_continues_in_the_same_order(first):
  np.testing.assert_array_equal(rows(20, first), rows(first + 20)[first:])


def test_the_order_depends_on_the_seed():
  assert list(rows(27)) == list(rows(27))
  assert list(rows(27)) != list(rows(27, seed=1))


def copies(num_epochs, labels=LABELS, counts=COUNTS):
  """Rows of the first epochs of a split that is read from shards, int [epochs, N]."""
  made = [
    example_proto.encode_example(
      encoded=b'%d' % row,
      image_format='png',
      filename=str(row),
      label=int(label),
      class_name='x',
      height=1,
      width=1,
    )
    for row, label in enumerate(labels)
  ]

  def build():
    read = tf.data.Dataset.from_tensor_slices(made)
    return tf.data.Dataset.range(num_epochs).flat_map(
      lambda epoch: balancing.balanced_copies(read, counts, 0, epoch)
    )

  drawn = elements(build, num_epochs * len(labels))
  encoded = [example_proto.decode_example(one)[example_proto.ENCODED][0] for one in drawn]
  return np.array(encoded, int).reshape(num_epochs, -1)


def test_an_epoch_that_is_read_has_as_many_images_of_every_class():
  """13 images of 3 classes: 4 of each, and one more, which each class has in turn."""
  numbers = [np.bincount(LABELS[drawn], minlength=4) for drawn in copies(3)]
  assert all(sorted(number) == [0, 4, 4, 5] for number in numbers)
  assert list(sum(numbers)) == [13, 0, 13, 13]


def test_all_images_of_a_class_come_equally_often_when_read():
  drawn = copies(27)
  times = np.bincount(drawn.ravel(), minlength=NUM_ROWS)
  # 117 draws of nine images, 13 of each on average; with random offsets not exactly.
  assert (np.abs(times[LABELS == 0] - 13) <= 7).all()
  assert (np.abs(times[LABELS == 2] - 39) <= 4).all()
  assert times[LABELS == 3] == 117
  assert set(drawn[0]) != set(drawn[1])


def test_no_image_comes_twice_while_another_of_its_class_is_left_out():
  for drawn in copies(5):
    times = np.bincount(drawn, minlength=NUM_ROWS)
    for own in (times[LABELS == 0], times[LABELS == 2]):
      assert own.max() - own.min() <= 1


def test_classes_of_equal_size_stay_as_they_are():
  """Where all classes are equally large, every image comes once."""
  even = np.array([0, 1, 1, 0, 0, 1])
  assert sorted(copies(1, even, [3, 3])[0]) == list(range(6))
