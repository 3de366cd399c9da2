"""Features of pictures for TensorBoard's embedding projector."""

import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import PIL.Image

from vgg_slim import files, sessions
from vgg_slim.checkpoints import restore
from vgg_slim.compat import tf
from vgg_slim.data.input import pipeline
from vgg_slim.evaluation.runner import Trained
from vgg_slim.finite import check_finite
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph

CONFIG_FILE = 'projector_config.pbtxt'
MOST_PICTURES = 1000  # more are slow to lay out in a browser
_BATCH_SIZE = 32
_TILE_SIDE = 32  # pixels
_CONFIG = """\
embeddings {{
  tensor_name: "{layer}"
  tensor_path: "features.tsv"
  metadata_path: "labels.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


class Features(NamedTuple):
  """What a network makes of some pictures.

  Attributes:
    layer: whose output the values are.
    values: float32 [N, C].
    labels: int [N].
    tiles: uint8 [N, side, side, 3], RGB, what the network saw, made small.
  """

  layer: str
  values: np.ndarray
  labels: np.ndarray
  tiles: np.ndarray


def run_features(checkpoint: str, trained: Trained, shards: Sequence[str]) -> Features:
  """Runs the first pictures of a split, their central crops, up to what class scores are made of.

  Args:
    checkpoint: prefix.
    trained: its network and preprocessing.
    shards: of the split, in order.

  Raises:
    CheckpointError: the checkpoint cannot be read or is of another network.
    NonFiniteError: a feature is not finite.
  """
  net, fed = trained.net, trained.preprocessing
  spec = specs.get(net.model)
  layer = spec.layers(net.num_logits, net.image_size, net.fc_units, net.head)[-1].inputs[0]
  layer = layer.replace('dropout', 'fc')  # which does nothing outside of training
  with tf.Graph().as_default():
    batch = pipeline.build_eval_batch(
      shards, fed, trained.test_scale, _BATCH_SIZE, crop_size=net.image_size
    )
    outputs = registry.build_from_config(net, batch.images, Inference())
    seen = graph.denormalize(batch.images, fed.rgb_mean, fed.pixel_scale)
    tiles = tf.cast(tf.image.resize(seen, [_TILE_SIDE] * 2, method='area'), tf.uint8)
    values = tf.reduce_mean(outputs.end_points[layer], [1, 2])
    with sessions.open_session() as session:
      restore.restore(session, checkpoint)
      session.run(batch.initializer)
      found = []
      while sum(len(labels) for _, labels, _ in found) < MOST_PICTURES:
        try:
          found.append(session.run([values, batch.labels, tiles]))
        except tf.errors.OutOfRangeError:
          break
  columns = [np.concatenate(column)[:MOST_PICTURES] for column in zip(*found, strict=True)]
  features = Features(layer, *columns)
  check_finite(features.values, checkpoint)
  return features


def write_projector(folder: pathlib.Path, features: Features, class_names: Sequence[str]) -> None:
  """Writes what the projector reads: features, labels, a picture of all tiles, and its config."""
  folder.mkdir(parents=True, exist_ok=True)
  rows = ('\t'.join(f'{value:.5g}' for value in row) for row in features.values)
  files.write_text(folder / 'features.tsv', '\n'.join(rows) + '\n')
  labels = (' '.join(class_names[label].split()) for label in features.labels)
  files.write_text(folder / 'labels.tsv', '\n'.join(labels) + '\n')
  with files.open_whole(folder / 'sprite.png') as stream:
    PIL.Image.fromarray(draw_sprite(features.tiles)).save(stream, 'PNG')
  config = _CONFIG.format(layer=features.layer, side=features.tiles.shape[1])
  files.write_text(folder / CONFIG_FILE, config)


def draw_sprite(tiles: np.ndarray) -> np.ndarray:
  """Puts tiles in the order of reading into a square of as many rows as columns.

  Args:
    tiles: uint8 [N, side, side, 3].

  Returns:
    uint8 [n * side, n * side, 3] for the smallest n with n * n >= N; what is left is black.
  """
  count, side = tiles.shape[:2]
  n = math.ceil(math.sqrt(count))
  grid = np.zeros([n * n, *tiles.shape[1:]], np.uint8)
  grid[:count] = tiles
  return grid.reshape(n, n, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(n * side, n * side, 3)
