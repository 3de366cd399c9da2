"""Bottleneck features: the trunk runs once over a data set, and one layer's output is kept."""

import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.features import cache
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.finite import check_finite
from vgg_slim.nets import geometry, registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph, test_scales
from vgg_slim.weights import formats

_UNCHANGED = 0.5  # the middle of all crops, and no flip


def make_key(
  checkpoint: str,
  contract: Contract,
  manifest: Manifest,
  layer: str | None = None,
  image_size: int | None = None,
  test_scale: int | None = None,
  passes: int = 1,
  seed: int = 0,
) -> FeatureKey:
  """What the features of a checkpoint on a data set depend on; hashes the checkpoint's files.

  Args:
    checkpoint: prefix.
    contract: of it.
    manifest: of the data set.
    layer: as `geometry.find_layer` takes it; by default the trunk's last map.
    image_size: side of the crop, in pixels; the contract's by default.
    test_scale: smaller side before the crop; by default the contract's, or what
      `test_scales.default` gives for another `image_size`.
    passes: of the train split.
    seed: of the augmented passes.

  Raises:
    ConfigError: no such layer, or sides that do not fit.
  """
  spec = specs.get(contract.model)
  layer, _ = geometry.find_layer(spec, layer or spec.trunk_layers()[-1].name)
  image_size = image_size or contract.image_size
  if test_scale is None:
    is_its_own = image_size == contract.image_size
    test_scale = contract.test_scale if is_its_own else test_scales.default(image_size)
  spec.map_side(image_size)
  if test_scale < image_size:
    raise ConfigError(f'test_scale={test_scale} is smaller than image_size={image_size}.')
  return FeatureKey(
    weights_sha256=formats.sha256(checkpoint),
    model=contract.model,
    layer=layer,
    image_size=image_size,
    test_scale=test_scale,
    rgb_mean=contract.rgb_mean,
    pixel_scale=contract.pixel_scale,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
    passes=passes,
    seed=seed,
    resize_filter=contract.resize_filter,
    stored_side=manifest.stored_side,
  )


def run_extraction(
  key: FeatureKey,
  checkpoint: str,
  data_dir: str,
  manifest: Manifest,
  split: str,
  path: pathlib.Path,
  batch_size: int,
  progress: Callable[[int, int], None] | None = None,
) -> None:
  """Writes the features of a split in the order of its records; a batch is in memory at a time.

  The first pass sees the central crop. Further passes, of the train split alone, see random crops,
  and mirror images where the data set allows it: functions of (seed, place in the run).

  Args:
    key: of `make_key`.
    checkpoint: prefix; it may hold more than the trunk.
    data_dir: folder of the data set.
    manifest: of it.
    split: name of the split.
    path: the file to write.
    batch_size: pictures at once.
    progress: called with (pictures done, in all).

  Raises:
    CheckpointError: the checkpoint cannot be read or is of another network.
    DataError: no such split, or shards that cannot be read or hold another number of pictures.
    NonFiniteError: a feature is not finite.
  """
  passes = key.passes if split == 'train' else 1
  paths = manifests.shard_paths(data_dir, manifest, split)
  total = passes * manifest.split(split).num_examples
  with tf.Graph().as_default():
    with tf.name_scope('input'):
      iterator = _build_input(key, paths, passes, manifest.mirror_safe, batch_size)
      images, labels, names = iterator.get_next()
    trunk = registry.build(key.model, images, None, Inference.fast())
    features = trunk.end_points[key.layer]
    with sessions.open_session() as session:
      restore.restore(session, checkpoint)
      session.run(iterator.initializer)

      def batches() -> Iterator[FeatureSet]:
        done = 0
        while True:
          try:
            batch = FeatureSet(*session.run([features, labels, names]))
          except tf.errors.OutOfRangeError:
            return
          except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise pipeline.reading_error(error) from error
          batch = batch._replace(names=np.array([name.decode() for name in batch.names], 'U'))
          check_finite(batch.features, checkpoint, batch.names.__getitem__)
          yield batch
          done += len(batch.labels)
          if progress:
            progress(done, total)

      cache.write_features(path, [total, *features.shape.as_list()[1:]], batches())


def _build_input(
  key: FeatureKey, paths: list[str], passes: int, may_flip: bool, batch_size: int
) -> tf.data.Iterator:
  def make_example(index: tf.Tensor, of_pass: tf.Tensor, serialized: tf.Tensor) -> tuple:
    example = records.parse_example(serialized)
    random = tf.random.stateless_uniform([3], [key.seed, index])
    y, x, mirror = tf.unstack(tf.where(of_pass > 0, random, tf.fill([3], _UNCHANGED)))
    image = graph.resize_smaller_side(
      graph.decode_rgb(example.encoded), key.test_scale, key.resize_filter
    )
    image = graph.crop(image, key.image_size, y, x)
    if may_flip:
      image = graph.flip(image, mirror)
    image = graph.normalize(image, key.rgb_mean, key.pixel_scale)
    image.set_shape([key.image_size, key.image_size, 3])
    return image, example.label, example.filename

  def read_pass(of_pass: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(paths).map(lambda serialized: (of_pass, serialized))

  dataset = tf.data.Dataset.range(passes).flat_map(read_pass).enumerate()
  dataset = dataset.map(
    lambda index, row: make_example(index, *row), num_parallel_calls=tf.data.AUTOTUNE
  )
  return tf.data.make_initializable_iterator(dataset.batch(batch_size).prefetch(2))
