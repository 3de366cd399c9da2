from tests.testing import graph_session
from vgg_slim.compat import old_datasets, tf


def values_of(dataset, session):
  following = dataset.make_one_shot_iterator().get_next()
  values = []
  while True:
    try:
      values.append(session.run(following).tolist())
    except tf.errors.OutOfRangeError:
      return values


def test_map_takes_threads_and_a_buffer_after_other_methods():
  with graph_session() as session:
    dataset = old_datasets.Dataset.from_tensor_slices([1, 2, 3]).repeat(2)
    dataset = dataset.map(lambda x: 10 * x, num_threads=2, output_buffer_size=4).batch(4)
    assert values_of(dataset, session) == [[10, 20, 30, 10], [20, 30]]


def test_structure_makes_an_iterator():
  with graph_session() as session:
    dataset = old_datasets.Dataset.range(3)
    iterator = old_datasets.Iterator.from_structure(dataset.output_types, dataset.output_shapes)
    following = iterator.get_next()
    session.run(iterator.make_initializer(dataset))
    assert session.run(following) == 0


def test_apply():
  with graph_session() as session:
    dataset = old_datasets.Dataset.range(4).apply(tf.data.experimental.ignore_errors())
    assert isinstance(dataset.map(lambda x: x, num_threads=1), old_datasets.Dataset)
    assert values_of(dataset, session) == [0, 1, 2, 3]
