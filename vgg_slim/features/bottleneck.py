"""Bottleneck features: runs the trunk once over a data set, and stores the output of a layer."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import precision_proof
from vgg_slim.evaluation.precision_proof import Proof
from vgg_slim.features import cache
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.finite import check_finite
from vgg_slim.nets import geometry, registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph
from vgg_slim.weights import formats

_NO_AUGMENTATION = 0.5  # as a random draw: the central crop, and no flip


def make_key(
  checkpoint: str,
  contract: Contract,
  manifest: Manifest,
  layer: str | None = None,
  image_size: int | None = None,
  test_scale: int | None = None,
  passes: int = 1,
  seed: int = 0,
  precision: str = 'float32',
) -> FeatureKey:
  """Makes the key of the features of a checkpoint on a data set; hashes the checkpoint's files.

  Args:
    checkpoint: prefix of the checkpoint.
    contract: contract of the checkpoint.
    manifest: manifest of the data set.
    layer: name of the layer, see `geometry.find_layer`; by default the last layer of the trunk.
    image_size: side of the crop, in pixels; by default that of the contract.
    test_scale: smaller side of the image before the crop, in pixels; by default that of the
      contract, or `test_scales.default` if `image_size` differs from that of the contract.
    passes: number of passes over the training split.
    seed: random seed of the augmented passes.
    precision: precision of the session, see `sessions.session_config`.

  Raises:
    ConfigError: the network has no such layer, the sides do not fit, or the precision needs a GPU.
  """
  sessions.check_precision(precision)
  network, preprocessing = contract.network, contract.preprocessing
  spec = specs.get(network.model)
  layer, _ = geometry.find_layer(spec, layer or spec.trunk_layers()[-1].name)
  image_size, test_scale = cache.choose_sides(contract, image_size, test_scale)
  return FeatureKey(
    weights_sha256=formats.sha256(checkpoint),
    trunk=Network(None, network.model, image_size=image_size),
    layer=layer,
    preprocessing=dataclasses.replace(
      preprocessing,
      test_scale=test_scale,
      stored_side=manifest.stored_side,
      pixel_range=manifest.pixel_range,
    ),
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
    passes=passes,
    seed=seed,
    precision=precision,
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
  """Writes the features of a split in the order of its records; one batch is in memory at a time.

  The first pass takes the central crop. Further passes, over the training split only, take random
  crops, and random flips if the data set allows them; both depend on the seed and on the index of
  the image over all passes.

  Args:
    key: key from `make_key`.
    checkpoint: prefix of the checkpoint; it may hold more than the trunk.
    data_dir: folder of the data set.
    manifest: manifest of the data set.
    split: name of the split.
    path: output file.
    batch_size: number of images per batch.
    progress: function called with (number of images done, total number of images).

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    DataError: there is no such split, or its shards cannot be read or hold a different number of
      images than the manifest says.
    NonFiniteError: a feature is not finite.
  """
  passes = key.passes if split == 'train' else 1
  total = passes * manifest.split(split).num_examples
  with _opened(key, checkpoint, data_dir, manifest, split, passes, batch_size) as (shape, found):

    def batches() -> Iterator[FeatureSet]:
      done = 0
      for batch in found:
        check_finite(batch.features, checkpoint, batch.names.__getitem__)
        yield batch
        done += len(batch.labels)
        if progress:
          progress(done, total)

    cache.write_features(path, [total, *shape], batches())


def prove_precision(
  key: FeatureKey,
  checkpoint: str,
  data_dir: str,
  manifest: Manifest,
  split: str,
  batch_size: int,
) -> Proof | None:
  """Compares the features of the first images in float32 and in `sessions.fast_precision`.

  Args:
    key: key of the features, in float32.
    checkpoint: prefix of the checkpoint.
    data_dir: folder of the data set.
    manifest: manifest of the data set.
    split: name of the split.
    batch_size: number of images per batch.

  Returns:
    The proof; None where float32 is the fastest precision, or the split so small that two networks
    take longer to build than the features to compute.

  Raises:
    CheckpointError, DataError: see `run_extraction`.
  """
  fast = dataclasses.replace(key, precision=sessions.fast_precision())
  passes = key.passes if split == 'train' else 1
  enough = passes * manifest.split(split).num_examples >= precision_proof.MIN_INPUTS
  if fast == key or not enough:
    return None
  first = []
  for one in (key, fast):
    with _opened(one, checkpoint, data_dir, manifest, split, 1, batch_size) as (_, found):
      first.append(np.array(precision_proof.first_rows(batch.features for batch in found)))
  return precision_proof.prove_features(first[0], first[1], fast.precision)


@contextlib.contextmanager
def _opened(
  key: FeatureKey,
  checkpoint: str,
  data_dir: str,
  manifest: Manifest,
  split: str,
  passes: int,
  batch_size: int,
) -> Iterator[tuple[list[int], Iterator[FeatureSet]]]:
  """Yields the shape [h, w, C] of the features of an image, and the batches of a split."""
  paths = manifests.shard_paths(data_dir, manifest, split)
  with tf.Graph().as_default():
    with tf.name_scope('input'):
      iterator = _build_input(key, paths, passes, manifest.mirror_safe, batch_size)
      images, labels, names = iterator.get_next()
    trunk = registry.build(key.trunk.model, images, None, Inference.fast(key.precision))
    features = trunk.end_points[key.layer]
    with sessions.open_session(runtime=RuntimeConfig(key.precision)) as session:
      restore.restore(session, checkpoint)
      session.run(iterator.initializer)

      def batches() -> Iterator[FeatureSet]:
        while True:
          try:
            batch = FeatureSet(*session.run([features, labels, names]))
          except tf.errors.OutOfRangeError:
            return
          except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise pipeline.reading_error(error, paths) from error
          yield batch._replace(names=np.array([name.decode() for name in batch.names], 'U'))

      yield features.shape.as_list()[1:], batches()


def _build_input(
  key: FeatureKey, paths: list[str], passes: int, may_flip: bool, batch_size: int
) -> tf.data.Iterator:
  side, rules = key.trunk.image_size, key.preprocessing

  def make_example(index: tf.Tensor, pass_index: tf.Tensor, serialized: tf.Tensor) -> tuple:
    example = records.parse_example(serialized)
    random = tf.random.stateless_uniform([3], [key.seed, index])
    y, x, flip = tf.unstack(tf.where(pass_index > 0, random, tf.fill([3], _NO_AUGMENTATION)))
    image = graph.resize(graph.decode_rgb(example.encoded), rules.test_scale, rules)
    image = graph.crop(image, side, y, x)
    if may_flip:
      image = graph.flip(image, flip)
    image = graph.network_input(image, rules)
    image.set_shape([side, side, 3])
    return image, example.label, example.filename

  def read_pass(pass_index: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(paths).map(lambda serialized: (pass_index, serialized))

  dataset = tf.data.Dataset.range(passes).flat_map(read_pass).enumerate()
  dataset = dataset.map(
    lambda index, row: make_example(index, *row), num_parallel_calls=tf.data.AUTOTUNE
  )
  return tf.data.make_initializable_iterator(dataset.batch(batch_size).prefetch(2))
