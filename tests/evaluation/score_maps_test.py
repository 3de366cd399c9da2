import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.evaluation import score_maps
from vgg_slim.nets.outputs import NetOutputs


def left_pixel(images):
  """A network whose logits are the channels of the top left pixel, which mirroring changes."""
  return NetOutputs(images, images[:, 0, 0, :], {})


def softmax(x):
  return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def test_mirror_images_are_averaged():
  images = np.random.default_rng(0).normal(size=[3, 2, 4, 3]).astype(np.float32)
  with graph_session() as session:
    one = session.run(score_maps.build_probabilities(left_pixel, tf.constant(images), flip=False))
    two = session.run(score_maps.build_probabilities(left_pixel, tf.constant(images), flip=True))
    logits = session.run(score_maps.build_logits(left_pixel, tf.constant(images), flip=True))
  left, right = softmax(images[:, 0, 0]), softmax(images[:, 0, -1])
  np.testing.assert_allclose(one, left, rtol=1e-5)
  np.testing.assert_allclose(two, (left + right) / 2, rtol=1e-5)
  np.testing.assert_allclose(logits, (images[:, 0, 0] + images[:, 0, -1]) / 2, rtol=1e-5)
