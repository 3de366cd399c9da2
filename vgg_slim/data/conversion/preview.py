"""Images as the network sees them, for people to look at."""

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.preprocessing import graph


def run_preview(
  config: TrainConfig, manifest: Manifest, split: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the first images that a run sees: augmented for 'train', else central crops.

  Args:
    config: config whose preprocessing, image_size, seed, test_scale and data_dir are used.
    manifest: manifest of the data set in `config.data_dir`.
    split: name of the split.
    count: number of images; all images of the split if it has fewer.

  Returns:
    Images, uint8 [count, side, side, 3], RGB, and labels, int32 [count].

  Raises:
    DataError: there is no such split, or a record cannot be read.
  """
  preprocessing, side = config.preprocessing, config.net.image_size
  split_info = manifest.split(split)
  paths = manifests.shard_paths(config.data_dir, manifest, split)
  count = min(count, split_info.num_examples)
  with tf.Graph().as_default(), sessions.open_session() as session:
    if split == 'train':
      batch = pipeline.build_train_batch(
        paths,
        split_info.num_examples,
        split_info.num_bytes,
        preprocessing,
        side,
        count,
        config.run.seed,
        start_step=0,
        uniform_pixels=manifest.uniform_pixels,
      )
    else:
      batch = pipeline.build_eval_batch(
        paths, preprocessing, config.test_scale, count, crop_size=side
      )
    images = graph.display(batch.images, preprocessing)
    try:
      session.run(batch.initializer)
      return session.run((images, batch.labels))
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
      raise pipeline.reading_error(error, paths) from error
