"""Class score maps to class probabilities (arXiv:1409.1556, 3.2)."""

from collections.abc import Callable

from vgg_slim.compat import tf
from vgg_slim.nets.outputs import NetOutputs

BuildNetwork = Callable[[tf.Tensor], NetOutputs]


def build_probabilities(build_network: BuildNetwork, images: tf.Tensor, flip: bool) -> tf.Tensor:
  """Softmax of the spatially averaged score map, averaged over the image and its horizontal flip.

  Args:
    build_network: function that builds the network; called once, with both views in one batch.
    images: preprocessed images, float32 [N, h, w, 3].
    flip: whether to score the horizontally flipped image as well.

  Returns:
    Class probabilities, float32 [N, K]; each row sums to 1.
  """
  return _build_average(
    lambda views: tf.nn.softmax(build_network(views).logits), images, flip, 'probabilities'
  )


def build_logits(build_network: BuildNetwork, images: tf.Tensor, flip: bool) -> tf.Tensor:
  """Logits, float32 [N, K], averaged like those of `build_probabilities`, without the softmax."""
  return _build_average(lambda views: build_network(views).logits, images, flip, 'logits')


def _build_average(
  build_scores: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, flip: bool, name: str
) -> tf.Tensor:
  if not flip:
    return tf.identity(build_scores(images), name)
  views = tf.concat([images, tf.reverse(images, [2])], axis=0, name='flip_views')
  unflipped, flipped = tf.split(build_scores(views), 2)
  return tf.multiply(0.5, unflipped + flipped, name=name)
