import dataclasses
import statistics

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest

from tests.preprocessing.graph_test import photo
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.configs.fields import find_setting
from vgg_slim.data.input import augment

MEAN = (10.0, 20.0, 30.0)
COVARIANCE = ((5200.0, 4900.0, 4500.0), (4900.0, 5100.0, 4900.0), (4500.0, 4900.0, 5500.0))

# Of seed 7: those of image 3, and some of image 2**33.
SHARED_DRAWS = np.array(
  [
    0.5088924169,
    0.0750813484,
    0.6749569177,
    0.3552374839,
    0.2737687826,
    0.5297032594,
    0.6696891784,
    0.1588023900,
    0.0733014345,
    0.8375953435,
    0.1683386564,
    0.9458658695,
    0.9337130784,
    0.2017085552,
    0.1112774610,
    0.0824166536,
    0.8837168216,
    0.3641262054,
    0.0606437921,
    0.4081990718,
    0.6699007749,
    0.0654121637,
    0.9313927888,
    0.5966651439,
  ],
  np.float32,
)
FAR_DRAWS = np.array([0.9338905811309814, 0.16733288764953613, 0.35904109477996826], np.float32)


def draws(count=1, **steps):
  """Returns float32 [count, num_draws()], 0.5 except in the columns of the named steps."""
  result = np.full([count, augment.num_draws()], 0.5, np.float32)
  for name, values in steps.items():
    result[:, augment.columns(name)] = values
  return result


def run_everywhere(op, *arrays):
  """Returns the op's value in a session, after checking that it is the same inside tf.data."""
  with graph_session() as session:
    alone = session.run(op(*map(tf.constant, arrays)))
    dataset = tf.data.Dataset.from_tensors(arrays).map(op)
    piped = session.run(tf.data.make_one_shot_iterator(dataset).get_next())
  tf.nest.map_structure(np.testing.assert_array_equal, alone, piped)
  return alone


def changed(images, config, **steps):
  images = np.asarray(images, np.float32)
  return run_everywhere(
    lambda x, d: augment.change_pixels(x, config, d), images, draws(len(images), **steps)
  )


class TestDraw:
  def test_an_image_has_the_same_draws_alone_and_in_a_batch(self):
    with graph_session() as session:
      batch = session.run(augment.draw(7, tf.constant(40, tf.int64), 5))
      alone = session.run([augment.draw(7, tf.constant(40 + i, tf.int64), 1) for i in range(5)])
      other = session.run(augment.draw(8, tf.constant(40, tf.int64), 5))
    np.testing.assert_array_equal(batch, np.concatenate(alone))
    assert np.unique(np.stack([batch, other])).size == 2 * batch.size

  def test_draws_are_uniform_and_uncorrelated(self):
    with graph_session() as session:
      values = session.run(augment.draw(0, tf.constant(0, tf.int64), 4000))
    assert 0 <= values.min() < values.max() < 1
    # Tolerances: five standard errors of a mean, and of a correlation, of 4000 values.
    np.testing.assert_allclose(values.mean(0), 0.5, atol=5 * np.sqrt(1 / 12 / 4000))
    others = np.corrcoef(values.T) - np.eye(augment.num_draws())
    assert np.abs(others).max() < 5 / np.sqrt(4000)

  def test_the_draws_of_a_run_never_change(self):
    """Runs resume bit for bit: these draws were pinned when all steps shared one stream."""
    with graph_session() as session:
      near, far = session.run(
        [augment.draw(7, tf.constant(index, tf.int64), 1)[0] for index in (3, 2**33)]
      )
    np.testing.assert_array_equal(near[:24], SHARED_DRAWS)
    np.testing.assert_array_equal(far[:24][[0, 11, 23]], FAR_DRAWS)

  def test_steps_read_the_columns_that_they_always_had(self):
    got = {step: augment.columns(step) for step in augment._SHARED_COLUMNS}
    assert got == {
      'crop': slice(0, 3),
      'flip': slice(3, 4),
      'shift': slice(4, 6),
      'zoom': slice(6, 8),
      'brightness': slice(8, 9),
      'rgb_shift': slice(9, 12),
      'random_erasing': slice(12, 17),
      'cutout': slice(17, 19),
      'mix': slice(19, 23),
    }

  def test_new_steps_have_streams_of_their_own(self, monkeypatch):
    def draw(count=2):
      with graph_session() as session:
        return session.run(augment.draw(7, tf.constant(3, tf.int64), count))

    before = draw()
    for name, num_draws in (('grayscale', 1), ('posterize', 6)):
      step = augment._PixelStep(num_draws, lambda c: True, lambda images, config, draws: images)
      monkeypatch.setitem(augment._PIXEL_STEPS, name, step)
    after = draw()
    assert after.shape == (2, augment.num_draws()) == (2, before.shape[1] + 7)
    np.testing.assert_array_equal(after[:, : before.shape[1]], before)
    assert np.unique(after).size == after.size
    # Alone as in a batch, and whatever other steps there are.
    np.testing.assert_array_equal(draw(1)[0], after[0])
    own = after[:, augment.columns('posterize')]
    monkeypatch.delitem(augment._PIXEL_STEPS, 'grayscale')
    np.testing.assert_array_equal(draw()[:, augment.columns('posterize')], own)

  def test_every_step_has_another_stream(self):
    streams = {augment.stream_of(step) for step in augment._draws()}
    assert len(streams) == len(augment._draws())
    assert augment._SHARED_STREAM not in streams


def augmentations():
  """Names of the settings under the heading 'Augmentation'."""
  fields = dataclasses.fields(PreprocessingConfig)
  return [f.name for f in fields if find_setting(f).heading == 'Augmentation']


@pytest.mark.parametrize('name', augmentations())
def test_every_setting_switches_a_step_on(name):
  def steps(**settings):
    config = PreprocessingConfig(MEAN, rgb_covariance=COVARIANCE, **settings)
    tables = {**augment._WINDOW_STEPS, **augment._PIXEL_STEPS}
    return {step for step, row in tables.items() if row.is_on(config)} | (
      {'mix'} if config.mixes else set()
    )

  value = 1.5 if name.endswith('_max') else 0.5
  assert len(steps(**{name: value}) - steps()) == 1


class TestDrawWindow:
  def window(self, config, side=16, size=(16, 16), **steps):
    got = run_everywhere(
      lambda s, d: augment.draw_window(s, config, side, d), np.int32(size), draws(**steps)
    )
    return [float(value[0]) for value in got]

  def config(self, **steps):
    return PreprocessingConfig(MEAN, 1.0, 16, 16, **{'random_flip': False, **steps})

  def test_scale_and_position(self):
    # At side 32 of 16 the view has two pixels per image pixel, so its pixel 16 is at 8 - 1/4.
    config = PreprocessingConfig(MEAN, 1.0, 16, 32, random_flip=False)
    got = self.window(config, crop=[0.999, 0.999, 0])
    assert got == pytest.approx([7.75, -0.25, 15.25, 7.25])

  def test_flip(self):
    config = self.config(random_flip=True)
    assert self.window(config, flip=0.49) == pytest.approx([0, 15, 15, 0])
    assert self.window(config, flip=0.5) == pytest.approx([0, 0, 15, 15])

  def test_shift_is_a_fraction_of_the_side(self):
    config = self.config(height_shift=0.5, width_shift=0.25)
    assert self.window(config, shift=[1, 0]) == pytest.approx([8, -4, 23, 11])
    assert self.window(config) == pytest.approx([0, 0, 15, 15])

  def test_shift_along_one_axis_only(self):
    down = self.window(self.config(height_shift=0.5), shift=[1, 1])
    assert down == pytest.approx([8, 0, 23, 15])
    right = self.window(self.config(width_shift=0.25), shift=[1, 1])
    assert right == pytest.approx([0, 4, 15, 19])

  def test_zoom_keeps_the_center(self):
    config = self.config(zoom_min=0.5, zoom_max=1.5)
    assert self.window(config, zoom=[0, 1]) == pytest.approx([3.75, -3.75, 11.25, 18.75])


class TestChangePixels:
  def test_normalizing_with_one_scale_or_three(self):
    image = np.full([1, 2, 2, 3], 40.0)
    got = changed(image, PreprocessingConfig(MEAN, 0.5))
    np.testing.assert_array_equal(got[0, 0, 0], [15, 10, 5])
    got = changed(image, PreprocessingConfig(MEAN, (1.0, 0.5, 0.25)))
    np.testing.assert_array_equal(got[0, 0, 0], [30, 10, 2.5])

  @pytest.mark.parametrize(('draw', 'factor'), [(0.0, 0.5), (1.0, 1.5)])
  def test_brightness_equals_pillow(self, draw, factor):
    image = photo(6, 7)
    config = PreprocessingConfig((0.0,) * 3, brightness_min=0.5, brightness_max=1.5)
    got = changed(image[np.newaxis], config, brightness=draw)[0]
    expected = PIL.ImageEnhance.Brightness(PIL.Image.fromarray(image)).enhance(factor)
    # Pillow truncates to integers.
    np.testing.assert_array_equal(np.floor(got), np.asarray(expected))

  @pytest.mark.parametrize(('draw', 'delta'), [(0.0, -63), (0.5, 0), (1.0, 63)])
  def test_additive_brightness_equals_tf_image(self, draw, delta):
    images = np.stack([photo(6, 7), 255 - photo(6, 7)]).astype(np.float32)
    config = PreprocessingConfig((0.0,) * 3, brightness_delta=63.0)
    expected = run_everywhere(lambda x: tf.image.adjust_brightness(x, float(delta)), images)
    got = changed(images, config, brightness_delta=draw)
    np.testing.assert_allclose(got, expected, atol=1e-4)

  @pytest.mark.parametrize(('draw', 'factor'), [(0.0, 0.2), (0.5, 1.0), (1.0, 1.8)])
  def test_contrast_equals_tf_image(self, draw, factor):
    images = np.stack([photo(6, 7), 255 - photo(6, 7)]).astype(np.float32)
    config = PreprocessingConfig((0.0,) * 3, contrast_min=0.2, contrast_max=1.8)
    expected = run_everywhere(lambda x: tf.image.adjust_contrast(x, factor), images)
    np.testing.assert_allclose(changed(images, config, contrast=draw), expected, atol=1e-3)

  def test_distorted_inputs_of_the_cifar10_tutorial(self):
    """random_brightness(63), random_contrast(0.2, 1.8), then per_image_standardization."""
    image = photo(24, 24)[np.newaxis].astype(np.float32)
    config = PreprocessingConfig(
      (0.0,) * 3,
      brightness_delta=63.0,
      contrast_min=0.2,
      contrast_max=1.8,
      per_image_standardization=True,
    )
    got = changed(image, config, brightness_delta=0.9, contrast=0.25)
    distorted = image + (0.9 * 126 - 63)
    mean = distorted.mean((1, 2), keepdims=True)
    distorted = (distorted - mean) * (0.2 + 0.25 * 1.6) + mean
    expected = (distorted - distorted.mean()) / distorted.std()
    np.testing.assert_allclose(got, expected, atol=1e-4)

  def test_rgb_shift_follows_the_eigenvectors(self):
    config = PreprocessingConfig((0.0,) * 3, rgb_shift=0.1, rgb_covariance=COVARIANCE)
    image = np.full([1, 2, 2, 3], 100.0)
    # 0.841345 is the normal cumulative distribution at one standard deviation.
    shift = changed(image, config, rgb_shift=[0.5, 0.5, 0.841345])[0, 0, 0] - 100
    covariance = np.array(COVARIANCE) / 255**2
    largest = np.abs(shift).max()
    np.testing.assert_allclose(
      covariance @ shift,
      shift * (np.linalg.norm(covariance @ shift) / np.linalg.norm(shift)),
      rtol=1e-4,
    )
    eigenvalue = np.linalg.norm(covariance @ shift) / np.linalg.norm(shift)
    np.testing.assert_allclose(np.linalg.norm(shift), 255 * 0.1 * eigenvalue, rtol=1e-4)
    assert 1 < largest < 10
    assert np.ptp(changed(image, config)) < 1e-4

  def test_rgb_shift_at_a_draw_of_0_is_finite(self):
    # Draws are multiples of 2**-23; half of that is the probability that 0 stands for.
    config = PreprocessingConfig(
      (0.0,) * 3, rgb_shift=0.1, rgb_covariance=np.diag([255.0**2] * 3).tolist()
    )
    got = changed(np.full([1, 2, 2, 3], 100.0), config, rgb_shift=[0, 0.5, 0.5])
    lowest = statistics.NormalDist().inv_cdf(2**-24)
    np.testing.assert_allclose(sorted(got[0, 0, 0]), [100 + 25.5 * lowest, 100, 100], rtol=1e-5)

  def test_cutout_fills_a_square_with_the_mean_and_clips_it_at_the_edge(self):
    config = PreprocessingConfig(MEAN, cutout=0.5)
    image = np.full([1, 8, 8, 3], 99.0)
    got = changed(image, config, cutout=[0.5, 0.0])[0]
    expected = np.ones([8, 8], bool)
    expected[2:6, :2] = False
    np.testing.assert_array_equal(got != 0, np.repeat(expected[..., np.newaxis], 3, -1))

  def test_random_erasing(self):
    config = PreprocessingConfig(MEAN, random_erasing=0.5)
    image = np.full([1, 100, 100, 3], 99.0)
    assert (changed(image, config, random_erasing=[0.5, 1, 0.5, 0, 0]) != 0).all()
    erased = changed(image, config, random_erasing=[0.49, 1, 0.5, 1, 0])[0, ..., 0] == 0
    # 33 % as a square, in the lower left corner.
    side = round(np.sqrt(0.33) * 100)
    assert erased.sum() == side**2
    assert erased[100 - side :, :side].all()
    narrow = changed(image, config, random_erasing=[0.49, 0, 0, 0, 0])[0, ..., 0] == 0
    assert narrow.any(1).sum() == round(np.sqrt(200 * 0.3))
    assert narrow.any(0).sum() == round(np.sqrt(200 / 0.3))

  def test_random_erasing_of_a_rectangle_longer_than_the_image(self):
    """A third of the area at the most extreme aspect ratio is 105 pixels high."""
    config = PreprocessingConfig(MEAN, random_erasing=1.0)
    for y in (0, 0.5, 0.999):
      erased = changed(np.full([1, 100, 100, 3], 99.0), config, random_erasing=[0, 1, 1, y, 0])
      rows, columns = (erased[0, ..., 0] == 0).any(1), (erased[0, ..., 0] == 0).any(0)
      assert rows.all()
      # The width is that of the drawn rectangle: only the height is clipped.
      assert columns.sum() == round(np.sqrt(3300 * 0.3))


class TestMix:
  LABELS = np.array([0, 1, 2], np.int32)

  def mixed(self, config, images, share, y=0.5, x=0.5, which=0.0):
    got, (labels, weight) = run_everywhere(
      lambda i, d: augment.mix(i, tf.constant(self.LABELS), config, d),
      images,
      draws(len(images), mix=[which, share, y, x]),
    )
    np.testing.assert_array_equal(labels, [2, 1, 0])
    return got, weight

  def images(self, side=10):
    return np.random.default_rng(0).normal(size=[3, side, side, 3]).astype(np.float32)

  @pytest.mark.parametrize('share', [0.1, 0.5, 0.9])
  def test_mixup_with_parameter_one_is_uniform(self, share):
    images = self.images()
    got, weight = self.mixed(PreprocessingConfig(MEAN, mixup=1.0), images, share)
    np.testing.assert_allclose(weight, share, atol=1e-6)
    np.testing.assert_allclose(got, share * images + (1 - share) * images[::-1], atol=1e-6)

  def test_a_small_parameter_hardly_mixes(self):
    # Beta(0.2, 0.2) is symmetric, and its lower quartile is near 0.04 according to tables.
    weights = [
      self.mixed(PreprocessingConfig(MEAN, mixup=0.2), self.images(), s)[1][0]
      for s in (0.25, 0.5, 0.75)
    ]
    assert weights[0] < 0.1
    assert weights[1] == pytest.approx(0.5, abs=1e-3)
    assert weights[2] == pytest.approx(1 - weights[0], abs=1e-3)

  def test_cutmix_pastes_a_rectangle_and_weights_labels_by_area(self):
    images = self.images()
    got, weight = self.mixed(PreprocessingConfig(MEAN, cutmix=1.0), images, share=0.64, x=0.0)
    # 36 % of the area is 6 x 6 of 10 x 10 pixels; half of it lies beyond the left edge.
    expected = images.copy()
    expected[:, 2:8, :3] = images[::-1, 2:8, :3]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(weight, 1 - 0.18, atol=1e-6)

  def test_with_both_on_each_image_gets_one_of_them(self):
    images = self.images()
    both = PreprocessingConfig(MEAN, mixup=1.0, cutmix=1.0)
    cut = self.mixed(PreprocessingConfig(MEAN, cutmix=1.0), images, 0.64)[0]
    up = self.mixed(PreprocessingConfig(MEAN, mixup=1.0), images, 0.64)[0]
    np.testing.assert_allclose(self.mixed(both, images, 0.64, which=0.4)[0], cut, atol=1e-6)
    np.testing.assert_allclose(self.mixed(both, images, 0.64, which=0.6)[0], up, atol=1e-6)

  def test_soft_labels(self):
    mix = augment.Mix(np.int32([1, 1]), np.float32([0.75, 0.5]))
    with graph_session() as session:
      got = session.run(augment.soft_labels(np.int32([0, 1]), mix, 3))
    np.testing.assert_array_equal(got, [[0.75, 0.25, 0], [0, 1, 0]])
