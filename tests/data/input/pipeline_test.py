import dataclasses
import io

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.input import pipeline
from vgg_slim.data.shards import shard_name, write_shard
from vgg_slim.errors import ConfigError

NUM_EXAMPLES = 10
UNEVEN = (0, 0, 1, 0, 0, 0, 0, 1, 0, 0)
PREPROCESSING = PreprocessingConfig(rgb_mean=(0.0, 0.0, 0.0), train_scale_min=8, train_scale_max=10)


def encoded(value, height=8, width=8):
  buffer = io.BytesIO()
  PIL.Image.fromarray(np.full([height, width, 3], value, np.uint8)).save(buffer, 'PNG')
  return buffer.getvalue()


@pytest.fixture
def shards(tmp_path):
  """Ten images of a constant gray level, which is the label, in three shards."""
  return write_shards(tmp_path, [(8, 8)] * NUM_EXAMPLES)


@pytest.fixture
def uneven_shards(tmp_path):
  """Eight images of class 0 and two of class 1, whose gray levels are their indices."""
  return write_shards(tmp_path, [(8, 8)] * NUM_EXAMPLES, UNEVEN)


def write_shards(folder, sizes, labels=None):
  labels = range(len(sizes)) if labels is None else labels
  examples = [
    example_proto.encode_example(
      encoded=encoded(value, *size),
      image_format='png',
      filename=str(value),
      label=label,
      class_name=str(label),
      height=size[0],
      width=size[1],
    )
    for value, (label, size) in enumerate(zip(labels, sizes, strict=True))
  ]
  paths = [folder / shard_name('train', i, 3) for i in range(3)]
  for path, part in zip(paths, np.array_split(np.array(examples, object), 3), strict=True):
    write_shard(path, map(record_framing.frame, part))
  return [str(path) for path in paths]


def train_batches(shards, num_batches, start_step=0, preprocessing=PREPROCESSING, **kwargs):
  with graph_session() as session:
    arguments = {'num_bytes': 1, 'batch_size': 4, 'seed': 0, **kwargs}
    batch = pipeline.build_train_batch(
      shards,
      NUM_EXAMPLES,
      preprocessing=preprocessing,
      image_size=6,
      start_step=start_step,
      **arguments,
    )
    part = arguments['batch_size'] // arguments.get('share', (0, 1))[1]
    assert batch.images.shape.as_list() == [part, 6, 6, 3]
    session.run(batch.initializer)
    fetches = tuple(batch[:3]) if batch.mix is None else (*batch[:3], batch.mix)
    return [session.run(fetches) for _ in range(num_batches)]


# Ways to hold a split: read in each epoch through a buffer of three records, or in memory.
SOURCES = {
  'read': {'num_bytes': 10 * pipeline._MEMORY_BYTES // 3},
  'encoded': {'num_bytes': 1},
  'decoded': {'num_bytes': 1, 'uniform_pixels': 64},
}
AUGMENTED = dataclasses.replace(
  PREPROCESSING,
  width_shift=0.2,
  zoom_max=1.5,
  brightness_min=0.5,
  rgb_shift=0.1,
  rgb_covariance=((5000.0, 0.0, 0.0), (0.0, 5000.0, 0.0), (0.0, 0.0, 5000.0)),
  cutout=0.5,
)


@pytest.mark.parametrize('source', SOURCES)
class TestTrainBatch:
  def test_every_image_occurs_once_per_epoch(self, shards, source):
    batches = train_batches(shards, 5, **SOURCES[source])
    labels = np.concatenate([labels for _, labels, _ in batches])
    assert sorted(labels[:10]) == sorted(labels[10:]) == list(range(10))
    assert list(labels[:10]) != list(labels[10:])
    for images, labels, _ in batches:
      np.testing.assert_allclose(images, np.broadcast_to(labels[:, None, None, None], images.shape))

  def test_starting_at_a_later_step_gives_the_same_batches(self, shards, source):
    whole = train_batches(shards, 7, preprocessing=AUGMENTED, **SOURCES[source])
    late = train_batches(shards, 3, start_step=4, preprocessing=AUGMENTED, **SOURCES[source])
    for expected, got in zip(whole[4:], late, strict=True):
      for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)

  def test_the_parts_of_the_workers_add_up_to_the_batch(self, shards, source):
    whole = train_batches(shards, 4, preprocessing=AUGMENTED, **SOURCES[source])
    parts = [
      train_batches(shards, 4, preprocessing=AUGMENTED, share=(worker, 2), **SOURCES[source])
      for worker in (0, 1)
    ]
    for expected, *shares in zip(whole, *parts, strict=True):
      for a, b in zip(expected, map(np.concatenate, zip(*shares, strict=True)), strict=True):
        # float32 results differ in rounding between batches of two and of four.
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize('source', SOURCES)
class TestBalancedBatches:
  def batches(self, shards, source, *args, **kwargs):
    held = {**SOURCES[source], **kwargs}
    return train_batches(shards, *args, preprocessing=AUGMENTED, balanced_counts=(8, 2), **held)

  def test_classes_come_equally_often_in_an_epoch(self, uneven_shards, source):
    batches = self.batches(uneven_shards, source, 5)
    labels = np.concatenate([labels for _, labels, _ in batches])
    assert [list(labels[:10]).count(1), list(labels[10:]).count(1)] == [5, 5]
    if source != 'read':
      assert all(sum(labels) == 2 for _, labels, _ in batches)

  def test_starting_at_a_later_step_gives_the_same_batches(self, uneven_shards, source):
    whole = self.batches(uneven_shards, source, 7)
    late = self.batches(uneven_shards, source, 3, start_step=4)
    for expected, got in zip(whole[4:], late, strict=True):
      for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)

  def test_the_parts_of_the_workers_add_up_to_the_batch(self, uneven_shards, source):
    whole = self.batches(uneven_shards, source, 3)
    parts = [self.batches(uneven_shards, source, 3, share=(worker, 2)) for worker in (0, 1)]
    for expected, *shares in zip(whole, *parts, strict=True):
      labels = np.concatenate([labels for _, labels, _ in shares])
      np.testing.assert_array_equal(labels, expected[1])

  def test_the_repeated_images_get_different_windows(self, uneven_shards, source):
    batches = self.batches(uneven_shards, source, 5)
    images, labels = (np.concatenate(column) for column in list(zip(*batches, strict=True))[:2])
    rare = images[labels == 1]
    assert len(rare) == 10
    assert len({image.tobytes() for image in rare}) == 10


def test_balanced_batches_are_the_same_however_the_split_is_held(uneven_shards):
  held = [
    train_batches(
      uneven_shards, 4, preprocessing=AUGMENTED, balanced_counts=(8, 2), **SOURCES[source]
    )
    for source in ('encoded', 'decoded')
  ]
  for expected, got in zip(*held, strict=True):
    np.testing.assert_array_equal(got[1], expected[1])
    np.testing.assert_allclose(got[0], expected[0], atol=1e-3)  # float32 in another order


def test_batches_are_the_same_however_the_split_is_held(shards):
  encoded, decoded = (
    train_batches(shards, 4, preprocessing=AUGMENTED, **SOURCES[source])
    for source in ('encoded', 'decoded')
  )
  for expected, got in zip(encoded, decoded, strict=True):
    for a, b in zip(expected, got, strict=True):
      # Sampling positions in float32 may differ between an image alone and in a batch.
      np.testing.assert_allclose(a, b, atol=1e-4)


def held_dtypes(shards, **kwargs):
  """Returns the types of the tensors that hold the split in memory, [] if it is read per epoch."""
  with tf.Graph().as_default() as graph:
    pipeline.build_train_batch(
      shards,
      NUM_EXAMPLES,
      preprocessing=PREPROCESSING,
      image_size=6,
      batch_size=4,
      seed=0,
      **kwargs,
    )
    tables = [op for op in graph.get_operations() if op.type == 'DatasetToSingleElement']
  return [output.dtype for op in tables for output in op.outputs]


def test_the_memory_limit_decides_how_a_split_is_held(shards, monkeypatch):
  decoded_bytes = NUM_EXAMPLES * 8 * 8 * 3
  monkeypatch.setattr(pipeline, '_MEMORY_BYTES', decoded_bytes)
  in_memory, decoded = [tf.string], [tf.uint8, tf.int32]
  assert held_dtypes(shards, num_bytes=decoded_bytes) == in_memory
  assert held_dtypes(shards, num_bytes=decoded_bytes + 1) == []
  assert held_dtypes(shards, num_bytes=1, uniform_pixels=64) == decoded
  assert held_dtypes(shards, num_bytes=1, uniform_pixels=65) == in_memory
  assert held_dtypes(shards, num_bytes=decoded_bytes + 1, uniform_pixels=64) == []


def epochs_of_labels(shards, num_epochs=6, **kwargs):
  batches = train_batches(shards, num_epochs * 2, batch_size=NUM_EXAMPLES // 2, **kwargs)
  return np.concatenate([labels for _, labels, _ in batches]).reshape(num_epochs, NUM_EXAMPLES)


class TestOrderOfASplitReadPerEpoch:
  def test_records_are_shuffled_through_the_buffer(self, shards, tmp_path):
    """Uses one shard, so that the order of shards cannot hide the order of records."""
    whole = tmp_path / shard_name('train', 0, 1)
    with graph_session() as session:
      following = tf.data.make_one_shot_iterator(tf.data.TFRecordDataset(shards)).get_next()
      records = [session.run(following) for _ in range(NUM_EXAMPLES)]
    write_shard(whole, map(record_framing.frame, records))
    epochs = epochs_of_labels([str(whole)], **SOURCES['read'])
    # A buffer of three records can emit record i at position i - 2 at the earliest.
    earliness = epochs - np.arange(NUM_EXAMPLES)
    assert earliness.max() == 2
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)

  def test_shards_are_shuffled_in_each_epoch(self, shards):
    """Uses a buffer of one record, which keeps the order of reading."""
    num_bytes = NUM_EXAMPLES * pipeline._MEMORY_BYTES
    epochs = epochs_of_labels(shards, num_bytes=num_bytes)
    # Shards take turns record by record; their first records are 0, 4 and 7.
    first = [tuple(epoch[:3]) for epoch in epochs]
    assert {tuple(sorted(labels)) for labels in first} == {(0, 4, 7)}
    assert len(set(first)) > 1
    assert first != [tuple(e[:3]) for e in epochs_of_labels(shards, num_bytes=num_bytes, seed=1)]


def test_the_seed_decides_the_order(shards):
  orders = [
    [label for _, labels, _ in train_batches(shards, 5, seed=seed) for label in labels]
    for seed in (1, 2)
  ]
  assert orders[0] != orders[1]


def test_mixed_images_carry_both_labels(shards):
  mixing = dataclasses.replace(PREPROCESSING, mixup=1.0)
  for images, labels, _, mix in train_batches(shards, 3, preprocessing=mixing):
    np.testing.assert_array_equal(mix.labels, labels[::-1])
    expected = labels * mix.weight + mix.labels * (1 - mix.weight)
    np.testing.assert_allclose(images[:, 0, 0, 0], expected, atol=1e-4)


def test_up_to_64_megabytes_of_images_wait():
  assert pipeline.waiting_limit(10_000, 10_000 * 2**16) == 1024
  assert pipeline.waiting_limit(10, 1000) == 10
  assert pipeline.waiting_limit(10, 10 * 2**30) == 1


def test_a_batch_that_cannot_be_split_evenly_is_refused(shards):
  with pytest.raises(ConfigError, match='batch_size=4 cannot be split into 3 equal parts'):
    train_batches(shards, 1, share=(0, 3))


class TestEvalBatch:
  def run(self, paths, **kwargs):
    with graph_session() as session:
      scale = tf.placeholder(tf.int32, [])
      test_scale = kwargs.pop('test_scale')
      batch = pipeline.build_eval_batch(paths, PREPROCESSING, scale, **kwargs)
      session.run(batch.initializer, {scale: test_scale})
      batches = []
      while True:
        try:
          batches.append(session.run(batch[:3]))
        except tf.errors.OutOfRangeError:
          return batches

  def test_one_pass_in_order_with_a_short_last_batch(self, shards):
    batches = self.run(shards, test_scale=8, batch_size=4, crop_size=6)
    assert [len(b[1]) for b in batches] == [4, 4, 2]
    assert [i for b in batches for i in b[2]] == list(range(10))
    assert [i for b in batches for i in b[1]] == list(range(10))

  def test_whole_images_are_batched_by_shape(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8), (8, 12), (12, 8)] * 3)
    batches = self.run(paths, test_scale=16, batch_size=2)
    shapes = {b[0].shape[1:3] for b in batches}
    assert shapes == {(16, 16), (16, 24), (24, 16)}
    assert sorted(i for b in batches for i in b[2]) == list(range(9))
    for images, labels, indices in batches:
      np.testing.assert_array_equal(labels, indices)
      np.testing.assert_allclose(images[:, 0, 0, 0], labels)

  def test_batches_of_whole_images_are_bounded_by_their_area(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8)] * 5 + [(8, 24)] * 3)
    # 16x16 is 256 pixels, so two fit into 600; 16x48 is 768, so each is a batch of its own.
    batches = self.run(paths, test_scale=16, batch_size=3, max_pixels=600)
    sizes = sorted((b[0].shape[2], len(b[2])) for b in batches)
    assert sizes == [(16, 1), (16, 2), (16, 2), (48, 1), (48, 1), (48, 1)]

  def test_images_that_wait_for_others_of_their_size_are_flushed(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8), (8, 12)] * 4)
    batches = self.run(paths, test_scale=16, batch_size=4, max_waiting=4)
    # Of every four images two have each size; without the limit a batch would hold four.
    assert [list(b[2]) for b in batches] == [[0, 2], [1, 3], [4, 6], [5, 7]]

  def test_images_of_the_same_size_after_resizing_share_a_batch(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 12), (16, 24), (10, 15)])
    (batch,) = self.run(paths, test_scale=16, batch_size=4)
    assert batch[0].shape == (3, 16, 24, 3)

  def test_an_image_too_large_to_be_scored_whole_is_named(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8), (300, 2), (8, 8)])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      self.run(paths, test_scale=256, batch_size=4)
    assert str(pipeline.reading_error(caught.value, paths)).startswith(
      '1: 2 x 300 pixels become 256 x 38400, more than the 4194304 pixels that can be scored as '
      'a whole: score the central square with --views=center, or leave the image out; with Q up to '
      '167 it could be scored as it is'
    )
    self.run(paths, test_scale=167, batch_size=4)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      self.run(paths, test_scale=256, batch_size=4, smallest_scale=168)
    assert str(pipeline.reading_error(caught.value, paths)).endswith('or leave the image out.')
    # Its crops are small.
    batches = self.run(paths, test_scale=256, batch_size=4, crop_size=224)
    assert [len(b[1]) for b in batches] == [3]

  def test_an_image_too_large_to_be_resized_for_its_crops_is_named(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8), (1200, 2)])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      self.run(paths, test_scale=256, batch_size=4, crop_size=224)
    assert str(pipeline.reading_error(caught.value, paths)).startswith(
      '1: 2 x 1200 pixels become 256 x 153600, more than the 33554432 pixels that can be cut into '
      'crops: leave the image out'
    )

  def test_crops_of_an_image_run_across_batches(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8)] * 3)
    positions = ((0, 0), (0.5, 0.5), (1, 1))
    batches = self.run(paths, test_scale=8, batch_size=4, crop_size=6, crop_positions=positions)
    assert [b[0].shape for b in batches] == [(4, 6, 6, 3), (4, 6, 6, 3), (1, 6, 6, 3)]
    assert [i for b in batches for i in b[2]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [i for b in batches for i in b[1]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
