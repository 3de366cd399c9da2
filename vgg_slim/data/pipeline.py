"""TFRecord shards to batches, with `tf.data`.

Order and randomness of training are functions of (seed, step): epoch e is shuffled by (seed, e) and
the i-th picture of the run is augmented by (seed, i). A resumed run needs only its step.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.config import PreprocessingConfig
from vgg_slim.data import image_ops, records

_SHUFFLE_BYTES = 256 * 2**20  # of encoded pictures held for shuffling; smaller splits whole
_OPEN_SHARDS = 16
_KEY_BASE = 2**32  # of (height, width) in one number


class Batch(NamedTuple):
  """One batch and how to get the next.

  Attributes:
    images: float32 [N, h, w, 3], RGB, mean removed and scaled.
    labels: int32 [N].
    indices: int64 [N], the picture's place in the run (training) or in the split (evaluation).
    initializer: operation to run once before the first batch.
  """

  images: tf.Tensor
  labels: tf.Tensor
  indices: tf.Tensor
  initializer: tf.Operation


def build_train_batch(
  paths: Sequence[str],
  num_examples: int,
  num_bytes: int,
  preprocessing: PreprocessingConfig,
  image_size: int,
  batch_size: int,
  seed: int,
  start_step: int = 0,
  share: tuple[int, int] = (0, 1),
) -> Batch:
  """Adds the endless training input to the default graph.

  Scale S drawn from the range, a random crop, a flip (paper, 3.1). Batches run across the ends of
  epochs, so that every picture comes once in each epoch whatever the batch size.

  Args:
    paths: shards of the split.
    num_examples: pictures in the split.
    num_bytes: size of its shards, from which the shuffle buffer follows.
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop, in pixels.
    batch_size: pictures in a step.
    seed: of order and augmentation.
    start_step: the step whose batch comes first.
    share: (k, n) for the k-th of n equal parts of every batch, counted from 0; other pictures are
      read but not decoded.
  """
  first = start_step * batch_size
  part, parts = share
  part_size = batch_size // parts
  held = min(1.0, _SHUFFLE_BYTES / max(1, num_bytes))
  buffer_size = max(1, round(num_examples * held))

  def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
    epoch_seed = tf.random.stateless_uniform([], [seed, epoch], 0, 2**31 - 1, tf.int64)
    shards = tf.data.Dataset.from_tensor_slices(list(paths))
    shards = shards.shuffle(len(paths), epoch_seed, reshuffle_each_iteration=False)
    dataset = shards.interleave(
      tf.data.TFRecordDataset, min(_OPEN_SHARDS, len(paths)), num_parallel_calls=tf.data.AUTOTUNE
    )
    return dataset.shuffle(buffer_size, epoch_seed, reshuffle_each_iteration=False)

  def make_example(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    example = records.parse_example(serialized)
    draws = tf.random.stateless_uniform([4], [seed, index])
    image = augment(image_ops.decode_rgb(example.encoded), preprocessing, image_size, draws)
    return image, example.label, index

  dataset = tf.data.Dataset.range(first // num_examples, 2**62).flat_map(read_epoch)
  dataset = dataset.skip(first % num_examples).enumerate(start=first)
  if parts > 1:
    dataset = dataset.filter(lambda i, _: tf.equal(i % batch_size // part_size, part))
  dataset = dataset.map(make_example, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.batch(part_size, drop_remainder=True)
  return _iterate(dataset)


def augment(
  image: tf.Tensor, preprocessing: PreprocessingConfig, image_size: int, draws: tf.Tensor
) -> tf.Tensor:
  """One training view of a picture.

  Args:
    image: uint8 [H, W, 3], RGB, 0..255.
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop, in pixels.
    draws: float32 [4] in [0, 1): scale, y, x, flip.

  Returns:
    float32 [image_size, image_size, 3].
  """
  scale = image_ops.draw_scale(
    preprocessing.train_scale_min, preprocessing.train_scale_max, draws[0]
  )
  image = image_ops.resize_smaller_side(image, scale)
  image = image_ops.crop(image, image_size, draws[1], draws[2])
  if preprocessing.random_flip:
    image = image_ops.flip(image, draws[3])
  return image_ops.normalize(image, preprocessing.rgb_mean, preprocessing.pixel_scale)


def build_eval_batch(
  paths: Sequence[str],
  preprocessing: PreprocessingConfig,
  test_scale: int | tf.Tensor,
  batch_size: int,
  crop_size: int | None = None,
  places: Sequence[tuple[float, float]] = ((0.5, 0.5),),
  max_pixels: int | None = None,
) -> Batch:
  """Adds one pass over a split to the default graph; the short last batches are kept.

  Args:
    paths: shards of the split.
    preprocessing: see `PreprocessingConfig`; only mean and scale are used.
    test_scale: the smaller side Q, in pixels; a placeholder is fed to the initializer.
    batch_size: at most so many pictures, or crops, in a batch.
    crop_size: side of the crops; None keeps the whole picture, and pictures of equal size then
      share a batch.
    places: of the crops, see `image_ops.crops_at`; by default the middle. With several, a picture
      comes once for each, one after another, and batches run across pictures.
    max_pixels: whole pictures share a batch up to so many pixels, so that what bounds the memory
      is not how many there are but their area; one is a batch at any size.
  """

  def make_example(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    example = records.parse_example(serialized)
    image = image_ops.resize_smaller_side(image_ops.decode_rgb(example.encoded), test_scale)
    image = image_ops.normalize(image, preprocessing.rgb_mean, preprocessing.pixel_scale)
    if crop_size is None:
      return image, example.label, index
    crops = image_ops.crops_at(image, crop_size, places)
    return crops, tf.repeat(example.label, len(places)), tf.repeat(index, len(places))

  def window_size(key: tf.Tensor) -> tf.Tensor:
    if max_pixels is None:
      return tf.constant(batch_size, tf.int64)
    height, width = key // _KEY_BASE, key % _KEY_BASE
    return tf.clip_by_value(max_pixels // (height * width), 1, batch_size)

  dataset = tf.data.TFRecordDataset(list(paths)).enumerate()
  dataset = dataset.map(make_example, num_parallel_calls=tf.data.AUTOTUNE)
  if crop_size is not None:
    return _iterate(dataset.unbatch().batch(batch_size))
  dataset = dataset.group_by_window(
    key_func=lambda image, label, index: _shape_key(image),
    reduce_func=lambda key, window: window.batch(batch_size),
    window_size_func=window_size,
  )
  return _iterate(dataset)


def _shape_key(image: tf.Tensor) -> tf.Tensor:
  height, width = tf.unstack(tf.shape(image, out_type=tf.int64)[:2])
  return height * _KEY_BASE + width


def _iterate(dataset: tf.data.Dataset) -> Batch:
  iterator = tf.data.make_initializable_iterator(dataset.prefetch(2))
  images, labels, indices = iterator.get_next()
  return Batch(images, labels, indices, iterator.initializer)
