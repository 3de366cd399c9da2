"""Runs one of our networks on given values, and saves them as a checkpoint."""

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.weights import assign


def run(
  network: Network, arrays: dict[str, np.ndarray], images: np.ndarray, checkpoint: str | None = None
) -> np.ndarray:
  """Runs the network with the values of `arrays`.

  Args:
    network: identity of the network.
    arrays: values of all variables, by name below the network's scope.
    images: float32 [N, H, W, 3], preprocessed.
    checkpoint: prefix of a checkpoint to write, in format V2; the network is then run with the
      values that are read from it.

  Returns:
    Logits [N, K], or a trunk's last map [N, h, w, C].

  Raises:
    WeightMismatchError: the arrays do not match the network's variables exactly.
  """
  spec = specs.get(network.model)
  with tf.Graph().as_default():
    outputs = registry.build(
      spec,
      tf.constant(images),
      network.num_logits,
      Inference(),
      image_size=network.image_size,
      fc_units=network.fc_units,
      head=network.head,
    )
    output = outputs.logits
    if output is None:
      output = outputs.end_points[spec.trunk_layers()[-1].name]
    variables = tf.global_variables()
    saver = tf.train.Saver(variables, write_version=tf.train.SaverDef.V2)
    with sessions.open_session() as session:
      assign.assign(session, variables, {f'{spec.scope}/{n}': a for n, a in arrays.items()})
      if checkpoint is None:
        return session.run(output)
      saver.save(session, checkpoint, write_meta_graph=False, write_state=False)
    with sessions.open_session() as session:
      saver.restore(session, checkpoint)
      return session.run(output)
