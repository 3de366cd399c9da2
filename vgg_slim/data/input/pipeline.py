"""TFRecord shards to batches, with `tf.data`.

Order and randomness of training are functions of (seed, step): epoch e is shuffled by (seed, e) and
the i-th picture of the run is augmented by (seed, i). A resumed run needs only its step, and one of
several workers only its number.

A training split of up to 256 MB stays in memory, decoded where all its pictures have one size and
that fits as well; a larger one is read in each epoch.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import records
from vgg_slim.data.input import augment, training_views
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.preprocessing import graph, image_area
from vgg_slim.preprocessing.description import HasPixelRules

_MEMORY_BYTES = 256 * 2**20  # of encoded or decoded pictures held in memory
_WAITING_BYTES = 64 * 2**20  # of encoded images that wait for others of their size
_OPEN_SHARDS = 16
_KEY_BASE = 2**32  # of (height, width) in one number
_FOREVER = 2**62


class Batch(NamedTuple):
  """One batch and how to get the next.

  Attributes:
    images: float32 [N, h, w, 3], RGB, mean removed and scaled.
    labels: int32 [N].
    indices: int64 [N]: place in the split (evaluation), or count of pictures since step 0.
    initializer: op to run before the first batch.
    mix: second labels where training mixes pictures, else None.
  """

  images: tf.Tensor
  labels: tf.Tensor
  indices: tf.Tensor
  initializer: tf.Operation
  mix: augment.Mix | None = None

  def targets(self, num_classes: int) -> tf.Tensor:
    """What a loss compares with: `labels`, or float32 [N, num_classes] where pictures are mixed."""
    return augment.soft_labels(self.labels, self.mix, num_classes) if self.mix else self.labels


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
  uniform_pixels: int | None = None,
) -> Batch:
  """Adds the endless training input to the default graph.

  Each picture gets a scale of the range, a random crop, a flip (paper, 3.1), and whatever else
  `preprocessing` switches on. Batches run across the ends of epochs, so that every picture comes
  once in each epoch whatever the batch size.

  Args:
    paths: shards of the split.
    num_examples: pictures in the split.
    num_bytes: size of its shards, which says whether they are held in memory.
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop, in pixels.
    batch_size: pictures in a step, of all workers together.
    seed: of order and augmentation.
    start_step: the step whose batch comes first.
    share: (k, n) for the k-th of n equal parts of every batch, counted from 0; other pictures are
      read but not decoded.
    uniform_pixels: of each picture, where all have the same height and width.

  Raises:
    ConfigError: `batch_size` cannot be split evenly.
  """
  part, parts = share
  if batch_size % parts:
    raise ConfigError(f'batch_size={batch_size} cannot be split into {parts} equal parts.')
  part_size = batch_size // parts
  first = start_step * batch_size
  in_memory = num_bytes <= _MEMORY_BYTES
  decoded = in_memory and (uniform_pixels or _MEMORY_BYTES) * 3 * num_examples <= _MEMORY_BYTES

  if in_memory:
    dataset = _shuffled_places(num_examples, seed, first)
    table = _read_table(paths, num_examples, decoded)
  else:
    buffer_size = max(1, round(num_examples * _MEMORY_BYTES / num_bytes))
    dataset = _shuffled_records(paths, num_examples, buffer_size, seed, first)
  dataset = dataset.enumerate(start=first)
  if parts > 1:
    dataset = dataset.filter(lambda i, _: tf.equal(i % batch_size // part_size, part))

  maker = training_views.ViewMaker(preprocessing, image_size, seed)

  def from_place(index: tf.Tensor, place: tf.Tensor) -> training_views.View:
    return maker.of_record(index, tf.gather(table, place))

  def from_places(indices: tf.Tensor, places: tf.Tensor) -> training_views.View:
    images, labels = (tf.gather(column, places) for column in table)
    return maker.of_pixels(indices, images, labels, part_size)

  if decoded:
    dataset = _map(dataset.batch(part_size, drop_remainder=True), from_places)
  else:
    dataset = _map(dataset, from_place if in_memory else maker.of_record)
    dataset = dataset.batch(part_size, drop_remainder=True)
  return _iterate(_map(dataset, maker.mix))


def _shuffled_places(num_examples: int, seed: int, first: int) -> tf.data.Dataset:
  """Places in the split, int64 [], from the `first` of the run on."""

  def epoch_places(epoch: tf.Tensor) -> tf.data.Dataset:
    places = tf.range(num_examples, dtype=tf.int64)
    shuffled = tf.random.experimental.stateless_shuffle(places, [seed, epoch])
    return tf.data.Dataset.from_tensor_slices(shuffled)

  epochs = tf.data.Dataset.range(first // num_examples, _FOREVER)
  return epochs.flat_map(epoch_places).skip(first % num_examples)


def _shuffled_records(
  paths: Sequence[str], num_examples: int, buffer_size: int, seed: int, first: int
) -> tf.data.Dataset:
  """Serialized Examples, string [], from the `first` of the run on; the skipped are not decoded."""

  def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
    epoch_seed = tf.random.stateless_uniform([], [seed, epoch], 0, 2**31 - 1, tf.int64)
    shards = tf.data.Dataset.from_tensor_slices(list(paths))
    shards = shards.shuffle(len(paths), epoch_seed, reshuffle_each_iteration=False)
    dataset = shards.interleave(
      tf.data.TFRecordDataset, min(_OPEN_SHARDS, len(paths)), num_parallel_calls=tf.data.AUTOTUNE
    )
    return dataset.shuffle(buffer_size, epoch_seed, reshuffle_each_iteration=False)

  epochs = tf.data.Dataset.range(first // num_examples, _FOREVER)
  return epochs.flat_map(read_epoch).skip(first % num_examples)


def _read_table(
  paths: Sequence[str], num_examples: int, decoded: bool
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
  """The whole split, read when the iterator is initialised: serialized Examples, string [N], or
  uint8 [N, H, W, 3] and int32 [N]."""

  def decode(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = records.parse_example(serialized)
    return graph.decode_rgb(example.encoded), example.label

  dataset = tf.data.TFRecordDataset(list(paths))
  if decoded:
    dataset = _map(dataset, decode)
  return dataset.batch(num_examples, drop_remainder=True).get_single_element()


def _map(dataset: tf.data.Dataset, function: Callable[..., tuple]) -> tf.data.Dataset:
  return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def build_eval_batch(
  paths: Sequence[str],
  preprocessing: HasPixelRules,
  test_scale: int | tf.Tensor,
  batch_size: int,
  crop_size: int | None = None,
  places: Sequence[tuple[float, float]] = ((0.5, 0.5),),
  max_pixels: int | None = None,
  max_waiting: int = 1024,
) -> Batch:
  """Adds one pass over a split to the default graph; the short last batches are kept.

  Args:
    paths: shards of the split.
    preprocessing: mean, scale and resize filter.
    test_scale: the smaller side Q, in pixels; a placeholder is fed to the initializer.
    batch_size: at most so many pictures, or crops, in a batch.
    crop_size: side of the crops; None keeps the whole picture, and pictures of equal size then
      share a batch.
    places: of the crops, see `graph.crops_at`; by default the middle. With several, a picture
      comes once for each, one after another, and batches run across pictures.
    max_pixels: whole pictures share a batch up to so many pixels, so that what bounds the memory
      is not how many there are but their area; one is a batch at any size.
    max_waiting: at most this many whole images, still encoded, wait for others of their size; then
      all go into batches, full or not.
  """

  def make_example(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    example = records.parse_example(serialized)
    encoded = example.encoded
    if crop_size is not None:
      with tf.control_dependencies([_checked_size(example, test_scale, is_cropped=True)]):
        encoded = tf.identity(encoded)
    image = graph.resize_smaller_side(
      graph.decode_rgb(encoded), test_scale, preprocessing.resize_filter
    )
    image = graph.normalize(image, preprocessing.rgb_mean, preprocessing.pixel_scale)
    if crop_size is None:
      return image, example.label, index
    crops = graph.crops_at(image, crop_size, places)
    return crops, tf.repeat(example.label, len(places)), tf.repeat(index, len(places))

  def shape_key(index: tf.Tensor, serialized: tf.Tensor) -> tf.Tensor:
    size = _checked_size(records.parse_example(serialized), test_scale)
    return size[0] * _KEY_BASE + size[1]

  def window_size(key: tf.Tensor) -> tf.Tensor:
    if max_pixels is None:
      return tf.constant(batch_size, tf.int64)
    height, width = key // _KEY_BASE, key % _KEY_BASE
    return tf.clip_by_value(max_pixels // (height * width), 1, batch_size)

  def group(indices: tf.Tensor, serialized: tf.Tensor) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((indices, serialized)).group_by_window(
      key_func=shape_key,
      reduce_func=lambda key, window: _map(window, make_example).batch(batch_size),
      window_size_func=window_size,
    )

  dataset = tf.data.TFRecordDataset(list(paths)).enumerate()
  if crop_size is not None:
    return _iterate(_map(dataset, make_example).unbatch().batch(batch_size))
  # What waits in a window is encoded: a photograph takes a tenth of its resized pixels in float32.
  return _iterate(dataset.batch(max_waiting).flat_map(group))


def waiting_limit(num_examples: int, num_bytes: int) -> int:
  """Number of images of a split whose records take _WAITING_BYTES; at least 1."""
  return max(1, min(num_examples, _WAITING_BYTES * num_examples // num_bytes))


def _checked_size(
  example: records.ParsedExample, test_scale: int | tf.Tensor, is_cropped: bool = False
) -> tf.Tensor:
  """Height and width, int64 [2], after resizing to Q; fails as `image_area.check_area` does."""
  size = tf.cast(graph.resized_size(example.size, test_scale), tf.int64)
  scale = tf.cast(test_scale, tf.int64)
  factor = image_area.CROPPED_FACTOR if is_cropped else 1
  largest = factor * tf.maximum(
    tf.constant(image_area.MOST_PIXELS, tf.int64), image_area.MOST_SQUARES * scale**2
  )
  height, width, new_height, new_width, most = map(
    tf.strings.as_string, [*tf.unstack(example.size), *tf.unstack(size), largest]
  )
  old, new = (tf.strings.join(pair, ' x ') for pair in ((width, height), (new_width, new_height)))
  way_out = image_area.CROPPED if is_cropped else image_area.WHOLE
  limit = tf.strings.join([', more than the ', most, ' '])
  message = [example.filename, ': ', old, ' pixels become ', new, limit, way_out]
  fits = tf.debugging.Assert(tf.reduce_prod(size) <= largest, [tf.strings.join(message)])
  with tf.control_dependencies([fits]):
    return tf.identity(size)


def reading_error(error: tf.errors.OpError) -> DataError:
  """What a user is told when a batch cannot be read."""
  # What failed stands before the first node of the trace, behind where that node was built.
  found = re.search(r'^(.*)\n\t \[\[\{\{node', error.message, re.MULTILINE)
  reason = found[1] if found else error.message.splitlines()[0]
  if asserted := re.search(r'assertion failed: \[(.*)\]', reason):
    return DataError(f'{asserted[1]}.')
  return DataError(f'A record cannot be read: {reason}')


def _iterate(dataset: tf.data.Dataset) -> Batch:
  iterator = tf.data.make_initializable_iterator(dataset.prefetch(2))
  images, labels, indices, *mix = iterator.get_next()
  return Batch(images, labels, indices, iterator.initializer, *mix)
