"""The graph of every export: from images, or their files, to named outputs.

Pixels are normalized inside the graph, so that a serving program cannot scale them wrongly.
"""

import numpy as np

from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.nets import specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import graph, graph_decoding

IMAGES = 'images'
ENCODED_IMAGES = 'encoded_images'
OUTPUTS = ('class_score_map', 'logits', 'probabilities', 'classes')
TRUNK_OUTPUTS = ('features',)


def build_outputs(
  contract: Contract, images: tf.Tensor, mode: Inference = Inference()
) -> dict[str, tf.Tensor]:
  """Adds preprocessing and network to the default graph; a second call shares the variables.

  Args:
    contract: contract of the checkpoint.
    images: float32 or uint8 [N, H, W, 3], RGB, 0..255; H and W may be unknown, and larger than the
      contract's `image_size`.
    mode: mode of inference.

  Returns:
    class_score_map: class scores before softmax, float32 [N, h', w', K] (VGG paper, 3.2).
    logits: spatial average of the class score map, float32 [N, K].
    probabilities: softmax of the logits, float32 [N, K].
    classes: most probable class, int64 [N].
    A trunk has one output only, features: its last map, float32 [N, h', w', C].
  """
  with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
    network = restore.build_network(contract, build_normalized(contract, images), mode)
  if network.logits is None:
    last_map = specs.get(contract.network.model).trunk_layers()[-1].name
    return {'features': tf.identity(network.end_points[last_map], 'features')}
  return {
    'class_score_map': tf.identity(network.score_map, 'class_score_map'),
    **_name_outputs(network.logits),
  }


def build_normalized(contract: Contract, images: tf.Tensor) -> tf.Tensor:
  """Adds (RGB - mean) * scale as one product and one sum with constants, float32 [N, H, W, 3].

  Converters can translate these two operations. `preprocessing.graph.normalize` is faster in
  TensorFlow, but computes shapes at run time. Images that have to be standardized are.
  """
  rules = contract.preprocessing
  if rules.per_image_standardization:
    return graph.standardize(tf.cast(images, tf.float32))
  scale = np.broadcast_to(np.array(rules.pixel_scale, np.float64), [3])
  shift = -np.array(rules.rgb_mean, np.float64) * scale
  pixels = tf.cast(images, tf.float32)
  return pixels * scale.astype(np.float32) + shift.astype(np.float32)


def list_outputs(contract: Contract) -> tuple[str, ...]:
  """Names of the outputs of `build_outputs`."""
  return TRUNK_OUTPUTS if contract.network.is_trunk else OUTPUTS


def build_outputs_of_files(contract: Contract, encoded_images: tf.Tensor) -> dict[str, tf.Tensor]:
  """Adds the outputs for image files, each of which passes through the network at its own size.

  Call `build_outputs` first, because variables cannot be created within a loop.

  Args:
    contract: contract of the checkpoint.
    encoded_images: content of files, string [N], see `preprocessing.graph_decoding`.

  Returns:
    Logits, probabilities and classes as in `build_outputs`, but no class score map, because maps of
    different sizes do not fit into one tensor. For a trunk features, which requires that all files
    have the same size after resizing.
  """
  rules = contract.preprocessing

  def decode(encoded: tf.Tensor) -> tf.Tensor:
    return graph_decoding.build_image(encoded, rules)

  if contract.network.is_trunk:
    images = tf.map_fn(decode, encoded_images, fn_output_signature=tf.float32)
    return build_outputs(contract, tf.ensure_shape(images, [None, None, None, 3]))

  def score(encoded: tf.Tensor) -> tf.Tensor:
    return build_outputs(contract, decode(encoded)[tf.newaxis])['logits'][0]

  logits = tf.map_fn(score, encoded_images, fn_output_signature=tf.float32)
  return _name_outputs(tf.ensure_shape(logits, [None, contract.network.num_classes]))


def _name_outputs(logits: tf.Tensor) -> dict[str, tf.Tensor]:
  return {
    'logits': tf.identity(logits, 'logits'),
    'probabilities': tf.nn.softmax(logits, name='probabilities'),
    'classes': tf.argmax(logits, 1, name='classes'),
  }
