import io

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.plotting import samples
from vgg_slim.training import summaries


def values(serialized):
  return {value.tag: value for value in tf.Summary.FromString(serialized).value}


def test_histograms_and_sparsity():
  with graph_session() as session:
    weights = tf.get_variable('fc/weights', initializer=[1.0, 2.0, 3.0])
    frozen = tf.get_variable('conv/weights', initializer=[0.0])
    gradients = [(tf.constant([0.5, 0.5, 4.0]), weights), (None, frozen)]
    end_points = {'conv1': tf.constant([[0.0, 0.0], [0.0, 7.0]])}
    session.run(tf.global_variables_initializer())
    tags = values(session.run(summaries.build_histograms(gradients, end_points)))
  assert set(tags) == {
    *('weights/fc/weights', 'gradients/fc/weights', 'weights/conv/weights'),
    *('activations/conv1', 'sparsity/conv1'),
  }
  assert tags['weights/fc/weights'].histo.sum == 6
  assert tags['gradients/fc/weights'].histo.max == 4
  assert tags['sparsity/conv1'].simple_value == 0.75


def test_filters_are_drawn_as_tiles_of_a_grid():
  kernel = np.random.default_rng(0).uniform(-1, 1, [2, 2, 3, 3]).astype(np.float32)
  kernel[0, 0, 0, :2] = -1, 1  # the whole range
  with graph_session() as session:
    drawn = session.run(summaries.draw_filters(tf.constant(kernel)))
  assert drawn.shape == (1, 2 * 3 * 8, 2 * 3 * 8, 3)
  small = drawn[0, ::8, ::8]
  for number, (row, column) in enumerate([(0, 0), (0, 3), (3, 0)]):
    tile = small[row : row + 2, column : column + 2]
    np.testing.assert_allclose(tile, (kernel[..., number] + 1) / 2, atol=1e-6)
  assert not small[2].any()  # the line between the tiles
  assert not small[3:, 3:].any()  # the empty tile


def test_the_first_convolution_over_three_channels_is_drawn():
  with graph_session() as session:
    first = tf.get_variable('conv1/weights', [3, 3, 3, 4])
    others = [tf.get_variable('conv1/biases', [4]), tf.get_variable('conv2/weights', [3, 3, 4, 3])]
    session.run(tf.global_variables_initializer())
    tags = values(session.run(summaries.build_filters([others[1], first, *others])))
    assert summaries.build_filters(others) is None
  (summary,) = tags.values()
  assert (summary.image.height, summary.image.width) == (64, 64)


@pytest.mark.parametrize(
  ('labels', 'texts'),
  [
    (np.array([2, 0]), ['dog', 'ant']),
    (np.array([[0.25, 0, 0.75], [1, 0, 0]]), ['dog 75%, ant 25%', 'ant 100%']),
  ],
)
def test_samples_are_drawn_in_a_grid_with_labels(monkeypatch, labels, texts):
  drawn = []
  draw_samples = samples.draw_samples

  def draw(images, names):
    drawn.append(names)
    return draw_samples(images, names)

  monkeypatch.setattr(samples, 'draw_samples', draw)
  images = np.zeros([2, 4, 4, 3], np.uint8)
  images[1] = (200, 30, 60)
  (value,) = summaries.summarize_samples((images, labels), ('ant', 'bee', 'dog')).value
  assert value.tag == 'samples'
  assert drawn == [texts]
  pixels = np.asarray(PIL.Image.open(io.BytesIO(value.image.encoded_image_string)).convert('RGB'))
  assert pixels.shape[:2] == (value.image.height, value.image.width)
  assert (pixels == (200, 30, 60)).all(-1).any()
