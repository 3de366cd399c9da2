"""Input pipelines that turn TFRecord shards into batches with `tf.data`.

The order and randomness of training depend only on (seed, step): epoch e is shuffled by (seed, e),
and the i-th image of the run is augmented by (seed, i). A resumed run therefore needs only its
step, and each of several workers only its index.

A training split of up to 256 MB is held in memory, decoded if all its images have one size and the
pixels fit as well; a larger split is read again in each epoch.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vgg_slim import op_errors
from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import records
from vgg_slim.data.input import augment, balancing, training_views
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.preprocessing import graph, image_area
from vgg_slim.preprocessing.description import HasPixelRules

_MEMORY_BYTES = 256 * 2**20  # limit for encoded or decoded images held in memory
_WAITING_BYTES = 64 * 2**20  # limit for encoded images that wait for others of their size
_OPEN_SHARDS = 16
_KEY_BASE = 2**32  # packs (height, width) into one integer
_FOREVER = 2**62


class Batch(NamedTuple):
  """Tensors of the next batch; each session run advances the iterator.

  Attributes:
    images: normalized images, float32 [N, h, w, 3], RGB.
    labels: labels of the images, int32 [N].
    indices: index of each image in the split (evaluation), or in the run, counted from step 0
      (training), int64 [N].
    initializer: operation to run before the first batch.
    mix: second labels and weights if training mixes images, else None.
  """

  images: tf.Tensor
  labels: tf.Tensor
  indices: tf.Tensor
  initializer: tf.Operation
  mix: augment.Mix | None = None

  def targets(self, num_classes: int) -> tf.Tensor:
    """Returns the loss targets: `labels`, or float32 [N, num_classes] if images are mixed."""
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
  balanced_counts: Sequence[int] | None = None,
) -> Batch:
  """Adds the endless training input to the default graph.

  Each image gets a random scale, crop and flip (arXiv:1409.1556, 3.1) and whatever else
  `preprocessing` switches on. Batches run across the ends of epochs, so every image occurs once per
  epoch whatever the batch size, unless classes are balanced.

  Args:
    paths: paths of the shards of the split.
    num_examples: number of images in the split.
    num_bytes: size of the shards in bytes, which decides whether they are held in memory.
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop in pixels.
    batch_size: number of images per step, over all workers.
    seed: random seed for shuffling and augmentation.
    start_step: step of the first batch.
    share: (k, n) for the k-th of n equal parts of every batch, counted from 0; the images of other
      parts are read but not decoded.
    uniform_pixels: number of pixels per image if all images have the same height and width.
    balanced_counts: number of images of each class in the split if all classes are to come equally
      often, see `balancing`; None for every image once per epoch.

  Raises:
    ConfigError: `batch_size` is not a multiple of the number of parts.
  """
  part, parts = share
  if batch_size % parts:
    raise ConfigError(f'batch_size={batch_size} cannot be split into {parts} equal parts.')
  part_size = batch_size // parts
  first = start_step * batch_size
  in_memory = num_bytes <= _MEMORY_BYTES
  decoded = in_memory and (uniform_pixels or _MEMORY_BYTES) * 3 * num_examples <= _MEMORY_BYTES

  if in_memory:
    table = _read_table(paths, num_examples, decoded)
    if balanced_counts is None:
      dataset = _shuffled_indices(num_examples, seed, first)
    else:
      labels = table[1] if decoded else records.parse_labels(table)
      dataset = balancing.balanced_rows(labels, balanced_counts, seed, first)
  else:
    buffer_size = max(1, round(num_examples * _MEMORY_BYTES / num_bytes))
    dataset = _shuffled_records(paths, num_examples, buffer_size, seed, first, balanced_counts)
  dataset = dataset.enumerate(start=first)
  if parts > 1:
    dataset = dataset.filter(lambda i, _: tf.equal(i % batch_size // part_size, part))

  maker = training_views.ViewMaker(preprocessing, image_size, seed)

  def view_of_row(index: tf.Tensor, row: tf.Tensor) -> training_views.View:
    return maker.from_record(index, tf.gather(table, row))

  def views_of_rows(indices: tf.Tensor, rows: tf.Tensor) -> training_views.View:
    images, labels = (tf.gather(column, rows) for column in table)
    return maker.from_pixels(indices, images, labels, part_size)

  if decoded:
    dataset = _map(dataset.batch(part_size, drop_remainder=True), views_of_rows)
  else:
    dataset = _map(dataset, view_of_row if in_memory else maker.from_record)
    dataset = dataset.batch(part_size, drop_remainder=True)
  return _iterate(_map(dataset, maker.mix))


def _shuffled_indices(num_examples: int, seed: int, first: int) -> tf.data.Dataset:
  """Returns indices into the split, int64 [], from the run's `first` image on."""

  def shuffled_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
    indices = tf.range(num_examples, dtype=tf.int64)
    shuffled = tf.random.experimental.stateless_shuffle(indices, [seed, epoch])
    return tf.data.Dataset.from_tensor_slices(shuffled)

  epochs = tf.data.Dataset.range(first // num_examples, _FOREVER)
  return epochs.flat_map(shuffled_epoch).skip(first % num_examples)


def _shuffled_records(
  paths: Sequence[str],
  num_examples: int,
  buffer_size: int,
  seed: int,
  first: int,
  balanced_counts: Sequence[int] | None = None,
) -> tf.data.Dataset:
  """Returns serialized Examples, string [], from the run's `first` image on; decodes none."""

  def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
    epoch_seed = tf.random.stateless_uniform([], [seed, epoch], 0, 2**31 - 1, tf.int64)
    shards = tf.data.Dataset.from_tensor_slices(list(paths))
    shards = shards.shuffle(len(paths), epoch_seed, reshuffle_each_iteration=False)
    dataset = shards.interleave(
      tf.data.TFRecordDataset, min(_OPEN_SHARDS, len(paths)), num_parallel_calls=tf.data.AUTOTUNE
    )
    if balanced_counts is not None:
      dataset = balancing.balanced_copies(dataset, balanced_counts, seed, epoch)
    return dataset.shuffle(buffer_size, epoch_seed, reshuffle_each_iteration=False)

  epochs = tf.data.Dataset.range(first // num_examples, _FOREVER)
  return epochs.flat_map(read_epoch).skip(first % num_examples)


def _read_table(
  paths: Sequence[str], num_examples: int, decoded: bool
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
  """Returns the whole split, read when the iterator is initialized.

  Returns:
    Serialized Examples, string [N]; if `decoded`, images uint8 [N, H, W, 3] and labels int32 [N].
  """

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
  crop_positions: Sequence[tuple[float, float]] = ((0.5, 0.5),),
  max_pixels: int | None = None,
  max_waiting: int = 1024,
  smallest_scale: int = 1,
) -> Batch:
  """Adds one pass over a split to the default graph; batches may be short, no image is dropped.

  Args:
    paths: paths of the shards of the split.
    preprocessing: how images are resized and normalized.
    test_scale: smaller side Q in pixels; a placeholder must be fed when the initializer runs.
    batch_size: maximum number of images, or crops, per batch.
    crop_size: side of the crops in pixels; None keeps the whole image, and images of equal size
      then share a batch.
    crop_positions: positions of the crops, see `graph.crops_at`; by default the center. With
      several, each image yields its crops one after another, and batches run across images.
    max_pixels: maximum total number of pixels of the whole images in a batch, to bound the memory;
      a single image is a batch whatever its size. None for no maximum.
    max_waiting: maximum number of whole images, still encoded, that wait for others of their size;
      once it is reached all of them are put into batches, full or not.
    smallest_scale: smallest Q that the network takes, for the advice about an image that is too
      large.
  """
  keeps_ratio = preprocessing.keep_aspect_ratio

  def make_example(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    example = records.parse_example(serialized)
    encoded = example.encoded
    if crop_size is not None:
      with tf.control_dependencies(
        [_checked_size(example, test_scale, keeps_ratio, is_cropped=True)]
      ):
        encoded = tf.identity(encoded)
    image = graph.resize(graph.decode_rgb(encoded), test_scale, preprocessing)
    if crop_size is None:
      return graph.network_input(image, preprocessing), example.label, index
    crops = graph.network_input(graph.crops_at(image, crop_size, crop_positions), preprocessing)
    count = len(crop_positions)
    return crops, tf.repeat(example.label, count), tf.repeat(index, count)

  def shape_key(index: tf.Tensor, serialized: tf.Tensor) -> tf.Tensor:
    example = records.parse_example(serialized)
    size = _checked_size(example, test_scale, keeps_ratio, smallest_scale=smallest_scale)
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
  # Images wait encoded: a photograph takes a tenth of the memory of its resized float32 pixels.
  return _iterate(dataset.batch(max_waiting).flat_map(group))


def waiting_limit(num_examples: int, num_bytes: int) -> int:
  """Returns the number of images, at least 1, whose records take _WAITING_BYTES on average."""
  return max(1, min(num_examples, _WAITING_BYTES * num_examples // num_bytes))


def _checked_size(
  example: records.ParsedExample,
  test_scale: int | tf.Tensor,
  keep_aspect_ratio: bool,
  is_cropped: bool = False,
  smallest_scale: int = 1,
) -> tf.Tensor:
  """Returns height and width, int64 [2], after resizing to Q; fails if the image is too large.

  The limits and the message are those of `image_area.check_area`.
  """
  size = tf.cast(graph.resized_size(example.size, test_scale, keep_aspect_ratio), tf.int64)
  scale = tf.cast(test_scale, tf.int64)
  factor = image_area.CROPPED_FACTOR if is_cropped else 1
  max_pixels = factor * tf.maximum(
    tf.constant(image_area.MAX_PIXELS, tf.int64), image_area.MAX_SQUARES * scale**2
  )
  height, width, new_height, new_width, limit = map(
    tf.strings.as_string, [*tf.unstack(example.size), *tf.unstack(size), max_pixels]
  )
  old, new = (tf.strings.join(pair, ' x ') for pair in ((width, height), (new_width, new_height)))
  advice: str | tf.Tensor = image_area.CROPPED
  if not is_cropped:
    sides = tf.cast(example.size, tf.int64)
    most = image_area.MAX_PIXELS * tf.reduce_min(sides) // tf.reduce_max(sides)
    scale = tf.cast(tf.sqrt(tf.cast(most, tf.float64)), tf.int64)
    before, after = image_area.SMALLER_SCALE.split('{}')
    smaller = tf.strings.join([before, tf.strings.as_string(scale), after])
    advice = image_area.WHOLE + tf.where(scale >= smallest_scale, smaller, '')
  sizes = [example.filename, ': ', old, ' pixels become ', new]
  message = tf.strings.join([*sizes, ', more than the ', limit, ' ', advice])
  check = tf.debugging.Assert(tf.reduce_prod(size) <= max_pixels, [message])
  with tf.control_dependencies([check]):
    return tf.identity(size)


def reading_error(error: tf.errors.OpError, paths: Sequence[str]) -> DataError:
  """Returns the error to show the user when a batch from the shards `paths` cannot be read."""
  if isinstance(error, tf.errors.DataLossError):
    try:
      records.check_records(paths)
    except DataError as named:
      return named
  reason = op_errors.reason(error)
  if asserted := re.search(r'assertion failed: \[(.*)\]', reason):
    return DataError(f'{asserted[1]}.')
  return DataError(f'A record cannot be read: {reason}.')


def _iterate(dataset: tf.data.Dataset) -> Batch:
  iterator = tf.data.make_initializable_iterator(dataset.prefetch(2))
  images, labels, indices, *mix = iterator.get_next()
  return Batch(images, labels, indices, iterator.initializer, *mix)
