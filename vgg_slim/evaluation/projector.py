"""Features of images for TensorBoard's embedding projector."""

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
from vgg_slim.evaluation.scoring_graph import Trained
from vgg_slim.finite import check_finite
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph

CONFIG_FILE = 'projector_config.pbtxt'
MAX_IMAGES = 1000  # the projector is slow to lay out more
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
  """Features of images.

  Attributes:
    layer: name of the layer that computes them.
    values: features, float32 [N, C].
    labels: class indices, int [N].
    tiles: thumbnails of the network input, uint8 [N, side, side, 3], RGB.
  """

  layer: str
  values: np.ndarray
  labels: np.ndarray
  tiles: np.ndarray


def run_features(checkpoint: str, trained: Trained, shards: Sequence[str]) -> Features:
  """Computes the input of the last layer for central crops of the first images of a split.

  Args:
    checkpoint: prefix of the checkpoint.
    trained: network and preprocessing of the checkpoint.
    shards: paths of the shards of the split, in order.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    NonFiniteError: a feature is not finite.
  """
  net, preprocessing = trained.net, trained.preprocessing
  spec = specs.get(net.model)
  layer = spec.layers(net.num_logits, net.image_size, net.fc_units, net.head)[-1].inputs[0]
  layer = layer.replace('dropout', 'fc')  # dropout is the identity in inference
  with tf.Graph().as_default():
    batch = pipeline.build_eval_batch(
      shards, preprocessing, trained.test_scale, _BATCH_SIZE, crop_size=net.image_size
    )
    outputs = registry.build_from_config(net, batch.images, Inference())
    rgb = graph.display(batch.images, preprocessing)
    tiles = tf.cast(tf.image.resize(rgb, [_TILE_SIDE] * 2, method='area'), tf.uint8)
    values = tf.reduce_mean(outputs.end_points[layer], [1, 2])
    with sessions.open_session() as session:
      restore.restore(session, checkpoint)
      session.run(batch.initializer)
      batches: list[list[np.ndarray]] = []
      while sum(len(labels) for _, labels, _ in batches) < MAX_IMAGES:
        try:
          batches.append(session.run([values, batch.labels, tiles]))
        except tf.errors.OutOfRangeError:
          break
  columns = [np.concatenate(column)[:MAX_IMAGES] for column in zip(*batches, strict=True)]
  features = Features(layer, *columns)
  check_finite(features.values, checkpoint)
  return features


def write_projector(folder: pathlib.Path, features: Features, class_names: Sequence[str]) -> None:
  """Writes the files of the projector: features, labels, an image of all tiles, its config."""
  folder.mkdir(parents=True, exist_ok=True)
  rows = ('\t'.join(f'{value:.5g}' for value in row) for row in features.values)
  files.write_text(folder / 'features.tsv', '\n'.join(rows) + '\n')
  labels = (' '.join(class_names[label].split()) for label in features.labels)
  files.write_text(folder / 'labels.tsv', '\n'.join(labels) + '\n')
  with files.open_atomic(folder / 'sprite.png') as stream:
    PIL.Image.fromarray(draw_sprite(features.tiles)).save(stream, 'PNG')
  config = _CONFIG.format(layer=features.layer, side=features.tiles.shape[1])
  files.write_text(folder / CONFIG_FILE, config)


def draw_sprite(tiles: np.ndarray) -> np.ndarray:
  """Arranges tiles row by row in a square grid.

  Args:
    tiles: uint8 [N, side, side, 3].

  Returns:
    uint8 [n * side, n * side, 3] for the smallest n with n * n >= N; unused cells are black.
  """
  count, side = tiles.shape[:2]
  n = math.ceil(math.sqrt(count))
  grid = np.zeros([n * n, *tiles.shape[1:]], np.uint8)
  grid[:count] = tiles
  return grid.reshape(n, n, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(n * side, n * side, 3)
