import dataclasses
import io

import numpy as np
import PIL.Image
import pytest

from tests.data import fabricated
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import example_proto
from vgg_slim.data.input import augment, training_views

SIDE, FIRST = 6, 40
MEAN, SCALE = (90.0, 100.0, 110.0), 1 / 50
# An image of SIDE x SIDE pixels has only one window, itself.
UNCHANGED = PreprocessingConfig(MEAN, SCALE, SIDE, SIDE, random_flip=False)
PIXELS = np.stack([fabricated.pixels(seed, SIDE, SIDE) for seed in range(4)])
LABELS = [2, 0, 1, 1]


def example(pixels, label):
  return example_proto.encode_example(
    encoded=fabricated.encoded(pixels),
    image_format='png',
    filename='x',
    label=label,
    class_name=str(label),
    height=SIDE,
    width=SIDE,
  )


def one_by_one(maker):
  records = [example(*image_and_label) for image_and_label in zip(PIXELS, LABELS, strict=True)]
  views = [
    maker.from_record(tf.constant(FIRST + i, tf.int64), tf.constant(record))
    for i, record in enumerate(records)
  ]
  return training_views.View(*map(tf.stack, zip(*views, strict=True)))


def as_a_batch(maker):
  indices = tf.range(FIRST, FIRST + len(LABELS), dtype=tf.int64)
  return maker.from_pixels(indices, tf.constant(PIXELS), tf.constant(LABELS), len(LABELS))


@pytest.mark.parametrize('make', [one_by_one, as_a_batch])
def test_a_view_has_the_pixels_label_index_and_draws_of_its_image(make):
  with graph_session() as session:
    view = session.run(make(training_views.ViewMaker(UNCHANGED, SIDE, seed=3)))
    draws = session.run(augment.draw(3, tf.constant(FIRST, tf.int64), len(LABELS)))
  # Sampling positions are float32: a hundredth of a gray level.
  np.testing.assert_allclose(view.image, (PIXELS - np.array(MEAN)) * SCALE, atol=0.01 * SCALE)
  assert (view.label.tolist(), view.index.tolist()) == (LABELS, [40, 41, 42, 43])
  np.testing.assert_array_equal(view.draws, draws)


def test_images_are_mixed_if_mixing_is_on():
  mixing = dataclasses.replace(UNCHANGED, mixup=1.0)
  with graph_session() as session:
    views = as_a_batch(training_views.ViewMaker(UNCHANGED, SIDE, seed=3))
    assert training_views.ViewMaker(UNCHANGED, SIDE, seed=3).mix(views) == tuple(views[:3])
    mixed = training_views.ViewMaker(mixing, SIDE, seed=3).mix(views)
    before, (images, labels, _, mix) = session.run([views.image, mixed])
  assert (labels.tolist(), mix.labels.tolist()) == (LABELS, LABELS[::-1])
  own = mix.weight[:, np.newaxis, np.newaxis, np.newaxis]
  np.testing.assert_allclose(images, own * before + (1 - own) * before[::-1], atol=1e-5)


def test_jpeg_and_png_files_of_an_image_give_the_same_view():
  # Quality 100 changes a smooth gray ramp by no more than two gray levels.
  pixels = np.broadcast_to(np.arange(60, 140, 2, np.uint8)[:, None, None], [40, 50, 3])
  preprocessing = dataclasses.replace(UNCHANGED, train_scale_min=8, train_scale_max=10)
  views = []
  for file_format in ('PNG', 'JPEG'):
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, file_format, quality=100)
    with graph_session() as session:
      draws = tf.constant(np.linspace(0, 0.99, augment.num_draws(), dtype=np.float32))
      encoded = tf.constant(buffer.getvalue())
      views.append(session.run(training_views.view_of_encoded(encoded, preprocessing, SIDE, draws)))
  np.testing.assert_allclose(views[0], views[1], atol=2)
  assert np.ptp(views[0]) > 40
