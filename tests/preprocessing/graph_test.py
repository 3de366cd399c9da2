import io

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.preprocessing import graph, host
from vgg_slim.preprocessing.description import ANTIALIASED, RESIZE_FILTERS, Preprocessing


def run_everywhere(op, *arrays):
  """Returns the op's value in a session, after checking that it is the same inside tf.data."""
  with graph_session() as session:
    tensors = [tf.constant(a) for a in arrays]
    alone = session.run(op(*tensors))
    dataset = tf.data.Dataset.from_tensors(tuple(tensors)).map(op)
    piped = session.run(tf.data.make_one_shot_iterator(dataset).get_next())
  np.testing.assert_array_equal(alone, piped)
  return alone


def photo(height, width, channels=3):
  """Makes an image as smooth as a photograph, which JPEG preserves well."""
  y, x = np.mgrid[:height, :width]
  waves = [128 + 100 * np.sin(x / 9 + c) * np.cos(y / 7 - c) for c in range(channels)]
  return np.stack(waves, -1).astype(np.uint8)


def encode(pixels, file_format):
  buffer = io.BytesIO()
  PIL.Image.fromarray(pixels.squeeze()).save(buffer, file_format)
  return buffer.getvalue()


def test_sides_of_extremely_elongated_images_stay_positive():
  # 256 * 90,000,000 pixels; the limit of the area then refuses the image.
  resized = run_everywhere(lambda size: graph.resized_size(size, 256), [1, 90_000_000])
  assert resized.tolist() == [256, 2**31 - 128]


class TestDecodeRgb:
  @pytest.mark.parametrize('file_format', ['PNG', 'JPEG'])
  def test_equals_pillow(self, file_format):
    encoded = encode(photo(33, 47), file_format)
    expected = np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert('RGB'))
    got = run_everywhere(graph.decode_rgb, encoded)
    np.testing.assert_array_equal(got, expected)

  def test_a_gray_channel_is_repeated(self):
    gray = photo(5, 4, 1)
    got = run_everywhere(graph.decode_rgb, encode(gray, 'PNG'))
    np.testing.assert_array_equal(got, np.repeat(gray, 3, -1))


class TestResizeSmallerSide:
  def test_the_smaller_side_is_exact(self):
    for height in range(200, 232):
      with graph_session() as session:
        got = session.run(
          [
            tf.shape(graph.resize_smaller_side(tf.zeros([height, width, 3]), side, resize_filter))
            for width in (200, 333, 517)
            for side in (224, 256)
            for resize_filter in RESIZE_FILTERS
          ]
        )
      assert [min(shape[:2]) for shape in got] == [224, 224, 256, 256] * 3

  def test_the_aspect_ratio_is_kept(self):
    got = run_everywhere(lambda x: graph.resize_smaller_side(x, 20, ANTIALIASED), photo(30, 47))
    assert got.shape == (20, 31, 3)

  def test_doubling_a_ramp_is_linear_interpolation(self):
    ramp = np.tile(np.array([0, 10, 20], np.float32)[None, :, None], [3, 1, 3])
    got = run_everywhere(lambda x: graph.resize_smaller_side(x, 6, ANTIALIASED), ramp)
    # New pixel i samples position (i + 0.5) / 2 - 0.5, clamped to the image.
    np.testing.assert_allclose(got[2, :, 0], [0, 2.5, 7.5, 12.5, 17.5, 20], atol=1e-5)

  @pytest.mark.parametrize('resize_filter', RESIZE_FILTERS)
  @pytest.mark.parametrize(
    ('height', 'width', 'side'), [(90, 121, 33), (375, 500, 256), (41, 30, 30), (28, 28, 36)]
  )
  def test_equals_the_host(self, height, width, side, resize_filter):
    image = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    got = run_everywhere(lambda x: graph.resize_smaller_side(x, side, resize_filter), image)
    expected = host.resize_smaller_side(image, side, resize_filter)
    # Positions of up to 500 are rounded to float32, by 3e-5, over steps of up to 255 gray levels.
    np.testing.assert_allclose(got, expected, atol=1e-2)


class TestDrawScale:
  def test_both_ends_occur_and_nothing_beyond_them(self):
    draws = np.array(
      [0, 0.3333, 0.34, 0.66, 0.67, np.nextafter(1, 0, dtype=np.float32)], np.float32
    )
    got = [int(run_everywhere(lambda d: graph.draw_scale(256, 258, d), d)) for d in draws]
    assert got == [256, 256, 257, 257, 258, 258]


class TestCrop:
  @pytest.mark.parametrize(
    ('draw_y', 'draw_x', 'top', 'left'), [(0.0, 0.999, 0, 7), (0.5, 0.5, 3, 4), (0.999, 0.0, 5, 0)]
  )
  def test_position(self, draw_y, draw_x, top, left):
    image = photo(9, 11)
    got = run_everywhere(lambda x: graph.crop(x, 4, draw_y, draw_x), image)
    np.testing.assert_array_equal(got, image[top : top + 4, left : left + 4])

  def test_crops_against_positions_worked_out_by_hand(self):
    image = np.arange(7 * 10).reshape(7, 10, 1).astype(np.float32)
    # 4 rows and 7 columns are free; halves are rounded up.
    positions = ((0, 0), (0, 1), (0.5, 0.5), (0.75, 0.25), (1, 1))
    corners = [(0, 0), (0, 7), (2, 4), (3, 2), (4, 7)]
    crops = run_everywhere(lambda pixels: graph.crops_at(pixels, 3, positions), image)
    expected = [image[y : y + 3, x : x + 3] for y, x in corners]
    np.testing.assert_array_equal(crops, expected)

  @pytest.mark.parametrize('side', [7, 8, 9, 10])
  def test_a_single_crop_and_several_have_the_same_center(self, side):
    image = np.arange(100).reshape(10, 10, 1)
    one = run_everywhere(lambda pixels: graph.crop(pixels, side), image)
    many = run_everywhere(lambda pixels: graph.crops_at(pixels, side, [(0.5, 0.5)]), image)
    np.testing.assert_array_equal(many, [one])


class TestFlip:
  @pytest.mark.parametrize(('draw', 'mirrored'), [(0.49, True), (0.5, False)])
  def test_flip(self, draw, mirrored):
    image = photo(3, 5)
    got = run_everywhere(lambda x: graph.flip(x, np.float32(draw)), image)
    np.testing.assert_array_equal(got, image[:, ::-1] if mirrored else image)


class TestNormalize:
  MEAN = (10.0, 20.0, 30.0)

  def test_by_hand(self):
    image = np.array([[[12, 20, 0]]], np.float32)
    got = run_everywhere(lambda x: graph.normalize(x, self.MEAN, 0.5), image)
    np.testing.assert_array_equal(got, [[[1, 0, -15]]])

  def test_denormalize_is_the_inverse(self):
    image = photo(4, 4)
    got = run_everywhere(
      lambda x: graph.denormalize(
        graph.normalize(tf.cast(x, tf.float32), self.MEAN, 1 / 64), self.MEAN, 1 / 64
      ),
      image,
    )
    np.testing.assert_array_equal(got, image)


class TestNetworkInput:
  def test_standardization_is_that_of_tf_image(self):
    images = np.stack([photo(6, 7), 3 + photo(6, 7) // 4, np.full([6, 7, 3], 80)]).astype(
      np.float32
    )
    rules = Preprocessing((0.0, 0.0, 0.0), 1.0, 32, per_image_standardization=True)
    got = run_everywhere(lambda x: graph.network_input(x, rules), images)
    expected = run_everywhere(tf.image.per_image_standardization, images)
    np.testing.assert_allclose(got, expected, atol=1e-5)  # rounding of values up to 3
    np.testing.assert_allclose(got, host.network_input(images, rules), atol=1e-5)
    np.testing.assert_allclose(got.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(got.std((1, 2, 3)), [1, 1, 0], rtol=1e-5)

  def test_others_are_normalized(self):
    rules = Preprocessing((10.0, 20.0, 30.0), 0.5, 32)
    image = np.array([[[12, 20, 0]]], np.float32)
    assert run_everywhere(lambda x: graph.network_input(x, rules), image).tolist() == [
      [[1, 0, -15]]
    ]
    assert host.network_input(image, rules).tolist() == [[[1, 0, -15]]]

  @pytest.mark.parametrize('standardize', [False, True])
  def test_display_shows_the_image(self, standardize):
    image = photo(8, 9)
    mean, scale = ((0.0,) * 3, 1.0) if standardize else ((10.0, 20.0, 30.0), 1 / 64)
    rules = Preprocessing(mean, scale, 32, per_image_standardization=standardize)
    got = run_everywhere(
      lambda x: graph.display(graph.network_input(tf.cast(x, tf.float32), rules), rules), image
    )
    if not standardize:
      np.testing.assert_array_equal(got, image)
    assert np.corrcoef(got.ravel(), image.ravel())[0, 1] > 0.99


class TestSqueezing:
  RULES = Preprocessing((0.0, 0.0, 0.0), 1.0, 20, keep_aspect_ratio=False)

  @pytest.mark.parametrize(('height', 'width'), [(30, 47), (90, 20), (20, 20), (9, 41)])
  def test_equals_the_target_size_of_keras(self, tmp_path, height, width):
    import keras

    path = tmp_path / 'x.png'
    path.write_bytes(encode(photo(height, width), 'PNG'))
    expected = np.asarray(
      keras.utils.load_img(path, target_size=(20, 20), interpolation='bilinear'), np.float32
    )
    got = run_everywhere(lambda x: graph.resize(x, 20, self.RULES), photo(height, width))
    assert got.shape == (20, 20, 3)
    np.testing.assert_allclose(got, expected, atol=1)  # Pillow rounds after each direction
    np.testing.assert_allclose(host.resize(photo(height, width), 20, self.RULES), got, atol=1e-3)

  def test_the_aspect_ratio_is_kept_by_default(self):
    rules = Preprocessing((0.0, 0.0, 0.0), 1.0, 20)
    got = run_everywhere(lambda x: graph.resize(x, 20, rules), photo(30, 60))
    assert got.shape == (20, 40, 3) == host.resize(photo(30, 60), 20, rules).shape
