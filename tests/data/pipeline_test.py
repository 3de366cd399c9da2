import io

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.config import PreprocessingConfig
from vgg_slim.data import example_proto, pipeline, records

NUM_EXAMPLES = 10
PREPROCESSING = PreprocessingConfig(rgb_mean=(0.0, 0.0, 0.0), train_scale_min=8, train_scale_max=10)


def encoded(value, height=8, width=8):
  buffer = io.BytesIO()
  PIL.Image.fromarray(np.full([height, width, 3], value, np.uint8)).save(buffer, 'PNG')
  return buffer.getvalue()


@pytest.fixture
def shards(tmp_path):
  """Ten flat pictures in three shards; the grey value is the label."""
  return write_shards(tmp_path, [(8, 8)] * NUM_EXAMPLES)


def write_shards(folder, sizes):
  examples = [
    example_proto.encode_example(
      encoded=encoded(label, *size),
      image_format='png',
      filename=str(label),
      label=label,
      class_name=str(label),
      height=size[0],
      width=size[1],
    )
    for label, size in enumerate(sizes)
  ]
  paths = [folder / records.shard_name('train', i, 3) for i in range(3)]
  for path, part in zip(paths, np.array_split(np.array(examples, object), 3), strict=True):
    records.write_shard(path, part)
  return [str(path) for path in paths]


def train_batches(shards, num_batches, batch_size=4, seed=0, start_step=0, share=(0, 1)):
  with graph_session() as session:
    batch = pipeline.build_train_batch(
      shards,
      NUM_EXAMPLES,
      num_bytes=1,
      preprocessing=PREPROCESSING,
      image_size=6,
      batch_size=batch_size,
      seed=seed,
      start_step=start_step,
      share=share,
    )
    assert batch.images.shape.as_list() == [batch_size // share[1], 6, 6, 3]
    session.run(batch.initializer)
    return [session.run(batch[:3]) for _ in range(num_batches)]


class TestTrainBatch:
  def test_every_picture_comes_once_in_each_epoch(self, shards):
    labels = np.concatenate([b[1] for b in train_batches(shards, 5)])
    assert sorted(labels[:10]) == sorted(labels[10:]) == list(range(10))
    assert list(labels[:10]) != list(labels[10:])

  def test_picture_and_label_stay_together(self, shards):
    for images, labels, _ in train_batches(shards, 3):
      np.testing.assert_allclose(images, np.broadcast_to(labels[:, None, None, None], images.shape))

  def test_starting_late_gives_the_same_batches(self, shards):
    whole = train_batches(shards, 7)
    late = train_batches(shards, 3, start_step=4)
    for expected, got in zip(whole[4:], late, strict=True):
      for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)

  def test_shares_are_the_parts_of_each_batch(self, shards):
    whole = train_batches(shards, 4, start_step=3)
    parts = [train_batches(shards, 4, start_step=3, share=(k, 2)) for k in range(2)]
    for expected, *halves in zip(whole, *parts, strict=True):
      for a, b in zip(expected, zip(*halves, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(b), a)

  def test_seed_sets_the_order(self, shards):
    orders = [
      [label for b in train_batches(shards, 5, seed=seed) for label in b[1]] for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]

  def test_small_buffers_shuffle_too(self, shards, monkeypatch):
    monkeypatch.setattr(pipeline, '_SHUFFLE_BYTES', 0.3)
    labels = np.concatenate([b[1] for b in train_batches(shards, 5)])
    assert sorted(labels[:10]) == list(range(10))


class TestAugment:
  def test_against_pillow_and_slices(self):
    # At scale 16 = the picture's own side nothing is resampled; crop row 2 of 0..4, column 4.
    image = np.random.default_rng(0).integers(0, 256, [16, 16, 3], np.uint8)
    preprocessing = PreprocessingConfig((1.0, 2.0, 3.0), 0.5, 16, 16)
    with graph_session() as session:
      draws = tf.constant([0.0, 0.5, 0.99, 0.1])
      got = session.run(pipeline.augment(tf.constant(image), preprocessing, 12, draws))
    expected = (image[2:14, 4:16][:, ::-1].astype(np.float32) - [1, 2, 3]) * 0.5
    np.testing.assert_allclose(got, expected, atol=1e-5)

  def test_no_flip_when_switched_off(self):
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    preprocessing = PreprocessingConfig((0.0, 0.0, 0.0), 1.0, 4, 4, random_flip=False)
    with graph_session() as session:
      got = session.run(
        pipeline.augment(tf.constant(image), preprocessing, 4, tf.constant([0.0, 0, 0, 0]))
      )
    np.testing.assert_allclose(got, image)


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

  def test_whole_pictures_share_batches_by_shape(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8), (8, 12), (12, 8)] * 3)
    batches = self.run(paths, test_scale=16, batch_size=2)
    shapes = {b[0].shape[1:3] for b in batches}
    assert shapes == {(16, 16), (16, 24), (24, 16)}
    assert sorted(i for b in batches for i in b[2]) == list(range(9))
    for images, labels, indices in batches:
      np.testing.assert_array_equal(labels, indices)
      np.testing.assert_allclose(images[:, 0, 0, 0], labels)

  def test_batches_of_whole_pictures_are_bounded_by_their_area(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8)] * 5 + [(8, 24)] * 3)
    # 16x16 is 256 pixels, so two fit in 600; 16x48 is 768, so one comes alone.
    batches = self.run(paths, test_scale=16, batch_size=3, max_pixels=600)
    sizes = sorted((b[0].shape[2], len(b[2])) for b in batches)
    assert sizes == [(16, 1), (16, 2), (16, 2), (48, 1), (48, 1), (48, 1)]

  def test_several_crops_of_a_picture_run_across_batches(self, tmp_path):
    paths = write_shards(tmp_path, [(8, 8)] * 3)
    places = ((0, 0), (0.5, 0.5), (1, 1))
    batches = self.run(paths, test_scale=8, batch_size=4, crop_size=6, places=places)
    assert [b[0].shape for b in batches] == [(4, 6, 6, 3), (4, 6, 6, 3), (1, 6, 6, 3)]
    assert [i for b in batches for i in b[2]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [i for b in batches for i in b[1]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
