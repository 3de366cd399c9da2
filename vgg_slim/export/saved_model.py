"""Exports to SavedModel, for TensorFlow Serving and other programs that use TensorFlow."""

import pathlib

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.export.serving_graph import (
  ENCODED_IMAGES,
  IMAGES,
  build_outputs,
  build_outputs_of_files,
)

# Signatures that take pixels; the default signature takes float32.
SIGNATURES = {
  tf.float32: tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY,
  tf.uint8: 'uint8_images',
}


def write(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """Writes the model into the empty `folder`, with one signature per kind of input.

  `serving_default` and `uint8_images` take `images` [N, H, W, 3], float32 and uint8;
  `encoded_images` takes the content of files under the same name, string [N].

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
  """
  with tf.Graph().as_default(), sessions.open_session() as session:
    predict_signature = tf.saved_model.predict_signature_def
    signatures = {}
    for dtype, name in SIGNATURES.items():
      with tf.name_scope(name):
        images = tf.placeholder(dtype, [None, None, None, 3], IMAGES)
        signatures[name] = predict_signature({IMAGES: images}, build_outputs(contract, images))
    with tf.name_scope(ENCODED_IMAGES):
      encoded = tf.placeholder(tf.string, [None], ENCODED_IMAGES)
      outputs = build_outputs_of_files(contract, encoded)
      signatures[ENCODED_IMAGES] = predict_signature({ENCODED_IMAGES: encoded}, outputs)
    builder = tf.saved_model.Builder(str(folder))
    restore.restore(session, prefix)
    builder.add_meta_graph_and_variables(
      session, [tf.saved_model.SERVING], signatures, strip_default_attrs=True
    )
    builder.save()
