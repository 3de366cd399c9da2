import io

import numpy as np
import PIL.Image
import pytest

from tests.preprocessing.graph_test import photo
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.data.input import windows
from vgg_slim.preprocessing import graph
from vgg_slim.preprocessing.description import (
  ANTIALIASED,
  BILINEAR,
  RESIZE_FILTERS,
  Preprocessing,
)


def window(top, left, bottom, right):
  return windows.Window(*(np.array([edge], np.float32) for edge in (top, left, bottom, right)))


def sampled(image, window, side, resize_filter=BILINEAR):
  """Returns `windows.sample` of one image, after checking that tf.data gives the same."""
  with graph_session() as session:
    inputs = (image[np.newaxis], window)
    op = lambda images, window: windows.sample(images, window, side, resize_filter)  # noqa: E731
    alone = session.run(op(*(tf.nest.map_structure(tf.constant, part) for part in inputs)))
    dataset = tf.data.Dataset.from_tensors(inputs).map(op)
    piped = session.run(tf.data.make_one_shot_iterator(dataset).get_next())
  np.testing.assert_array_equal(alone, piped)
  return alone[0]


def bilinear(image, rows, columns):
  """Interpolates at rows x columns with NumPy; edge pixels are repeated outside the image."""
  height, width = image.shape[:2]
  result = np.zeros([len(rows), len(columns), image.shape[2]])
  for i, y in enumerate(rows):
    for j, x in enumerate(columns):
      for dy, weight_y in ((0, 1 - y % 1), (1, y % 1)):
        for dx, weight_x in ((0, 1 - x % 1), (1, x % 1)):
          row = np.clip(int(np.floor(y)) + dy, 0, height - 1)
          column = np.clip(int(np.floor(x)) + dx, 0, width - 1)
          result[i, j] += weight_y * weight_x * image[row, column]
  return result


def triangle(image, rows, columns):
  """Samples with NumPy through a triangle filter as wide as two steps.

  Edge pixels are repeated if rows or columns lie outside the image; otherwise the filter is cut off
  at the edge.
  """
  image = np.asarray(image, float)
  for axis, positions in enumerate((rows, columns)):
    positions, length = np.array(positions), image.shape[axis]
    radius = max(1, abs(positions[1] - positions[0]))
    reach = int(radius) + 2
    low = -int(min(0, positions.min())) + reach if positions.min() < -0.5 else 0
    high = int(max(0, positions.max() - length)) + reach if positions.max() > length - 0.5 else 0
    image = np.pad(image, [(low, high) if i == axis else (0, 0) for i in range(3)], 'edge')
    weights = 1 - np.abs(np.arange(image.shape[axis]) - low - positions[:, np.newaxis]) / radius
    weights = np.maximum(0, weights)
    weights /= weights.sum(1, keepdims=True)
    image = np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)
  return image


@pytest.mark.parametrize(
  'corners',
  [
    (1.25, 2.5, 6.0, 7.75),
    (1.25, 7.75, 6.0, 2.5),  # mirrored
    (0.0, 0.0, 8.0, 10.0),  # the whole image
    (-3.5, -0.5, 11.25, 10.5),  # beyond all four edges
  ],
)
def test_samples_equal_numpy(corners):
  image = np.random.default_rng(0).integers(0, 256, [9, 11, 3], np.uint8)
  top, left, bottom, right = corners
  expected = bilinear(image, np.linspace(top, bottom, 6), np.linspace(left, right, 6))
  # Positions of about 10 are rounded to float32, by 1e-6, over steps of up to 255 gray levels.
  np.testing.assert_allclose(sampled(image, window(*corners), 6), expected, atol=2e-3)


@pytest.mark.parametrize(
  'corners',
  [
    (3.25, 2.5, 21.0, 33.75),
    (3.25, 33.75, 21.0, 2.5),  # mirrored
    (1.0, 1.0, 25.0, 34.0),  # the filter is cut off at every edge
    (-6.5, -0.75, 30.25, 37.5),  # beyond all four edges
    (4.0, 2.0, 8.0, 33.0),  # enlarged vertically, reduced horizontally
  ],
)
def test_antialiased_samples_equal_numpy(corners):
  image = np.random.default_rng(0).integers(0, 256, [27, 37, 3], np.uint8)
  top, left, bottom, right = corners
  expected = triangle(image, np.linspace(top, bottom, 6), np.linspace(left, right, 6))
  got = sampled(image, window(*corners), 6, ANTIALIASED)
  # Positions of up to 40 are rounded to float32, over steps of up to 255 gray levels.
  np.testing.assert_allclose(got, expected, atol=5e-3)


def test_the_filters_agree_bit_for_bit_without_reduction():
  image = np.random.default_rng(0).integers(0, 256, [9, 11, 3], np.uint8)
  inside, outside = window(1.25, 2.5, 6.25, 7.5), window(-1.5, -0.5, 3.0, 4.5)
  for either in (inside, outside):
    got = [sampled(image, either, 6, resize_filter) for resize_filter in RESIZE_FILTERS]
    np.testing.assert_array_equal(*got)


@pytest.mark.parametrize('resize_filter', RESIZE_FILTERS)
@pytest.mark.parametrize(
  ('height', 'width', 'scale', 'side'),
  [(61, 47, 32, 28), (28, 28, 36, 32), (40, 40, 40, 32), (33, 90, 150, 64), (375, 500, 256, 224)],
)
@pytest.mark.parametrize('keep_aspect_ratio', [True, False])
@pytest.mark.parametrize(('draw_y', 'draw_x'), [(0.0, 0.0), (0.999, 0.999), (0.4, 0.7)])
def test_a_resized_crop_equals_resizing_and_then_cropping(
  height, width, scale, side, draw_y, draw_x, keep_aspect_ratio, resize_filter
):
  image = np.random.default_rng(1).integers(0, 256, [height, width, 3], np.uint8)
  with graph_session() as session:
    rules = Preprocessing(
      (0.0,) * 3, 1.0, scale, resize_filter, keep_aspect_ratio=keep_aspect_ratio
    )
    resized = graph.resize(tf.constant(image), scale, rules)
    expected = session.run(graph.crop(resized, side, draw_y, draw_x))
    draws = [tf.constant([draw]) for draw in (draw_y, draw_x)]
    size = tf.constant([height, width])
    resized_size = graph.resized_size(size, tf.constant([scale]), keep_aspect_ratio)
    crop = windows.resized_crop(size, resized_size, side, *draws)
    got = session.run(windows.sample(tf.constant(image)[tf.newaxis], crop, side, resize_filter))[0]
  # Noise is the worst case: neighbors differ by up to 255. Positions of up to 500 are float32.
  np.testing.assert_allclose(got, expected, atol=3e-2)


def decoded(pixels, corners, side, resize_filter, subsampling='4:2:0'):
  """Returns `windows.decode_window` of a JPEG file, and the pixels of the whole file."""
  buffer = io.BytesIO()
  PIL.Image.fromarray(pixels).save(buffer, 'JPEG', subsampling=subsampling)
  with graph_session() as session:
    size = tf.constant(pixels.shape[:2])
    jpeg_window = windows.Window(*(tf.constant(value, tf.float32) for value in corners))
    op = windows.decode_window(
      tf.constant(buffer.getvalue()), size, jpeg_window, side, resize_filter
    )
    return session.run(op), np.asarray(PIL.Image.open(buffer))


@pytest.mark.parametrize('subsampling', ['4:4:4', '4:2:0'])
@pytest.mark.parametrize(
  'corners',
  [
    (-0.25, -0.3, 50.0, 70.0),  # beyond the edge
    (20.0, 30.0, 25.5, 33.5),  # smaller than the view
    (20.0, 33.5, 25.5, 30.0),  # and mirrored
  ],
)
@pytest.mark.parametrize('resize_filter', RESIZE_FILTERS)
def test_small_and_outlying_windows_of_jpeg_files_are_exact(subsampling, corners, resize_filter):
  got, whole = decoded(photo(51, 71), corners, 12, resize_filter, subsampling)
  expected = sampled(whole, window(*corners), 12, resize_filter)
  np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize('subsampling', ['4:4:4', '4:2:0'])
@pytest.mark.parametrize(
  'corners',
  [
    (30.3, 40.6, 70.2, 95.5),  # the filter extends beyond the window but not to the edge
    (30.3, 95.5, 70.2, 40.6),  # mirrored
    (2.0, 3.0, 100.0, 130.0),  # the whole image
    (-4.0, 20.0, 60.0, 145.0),  # beyond two edges
    (20.25, 20.25, 60.0, 24.0),  # reduced vertically only
  ],
)
def test_reduced_windows_of_jpeg_files_are_exact(subsampling, corners):
  noise = np.random.default_rng(0).integers(0, 256, [103, 135, 3], np.uint8)
  got, whole = decoded(noise, corners, 12, ANTIALIASED, subsampling)
  rows, columns = np.linspace(corners[0], corners[2], 12), np.linspace(corners[1], corners[3], 12)
  np.testing.assert_allclose(got, triangle(whole, rows, columns), atol=5e-3)


@pytest.mark.parametrize(
  'corners',
  [
    (-3.0, 10.0, 30.0, 43.0),
    (5.0, -3.0, 38.0, 30.0),
    (20.0, 10.0, 53.0, 43.0),
    (5.0, 40.0, 38.0, 73.0),
  ],
  ids=['top', 'left', 'bottom', 'right'],
)
@pytest.mark.parametrize('resize_filter', RESIZE_FILTERS)
def test_large_windows_of_jpeg_files_beyond_one_edge_are_exact(corners, resize_filter):
  got, whole = decoded(photo(51, 71), corners, 12, resize_filter)
  expected = sampled(whole, window(*corners), 12, resize_filter)
  np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize('left', [14.5, 15.5, 16.5, 17.5, 31.5, 32.5, 33.5])
def test_chroma_at_the_edges_of_a_decoded_part_equals_that_of_the_whole_file(left):
  """Chroma is stored at half the resolution, in blocks of 16 pixels, and depends on neighbors."""
  colors = np.random.default_rng(3).integers(0, 2, [26, 36, 3]) * 255
  pixels = colors.repeat(2, 0).repeat(2, 1).astype(np.uint8)[:51, :71]
  corners = (left + 1, left, left + 10, left + 9)
  got, whole = decoded(pixels, corners, 12, BILINEAR)
  # Positions are float32, between neighbors that differ by up to 255.
  np.testing.assert_allclose(got, sampled(whole, window(*corners), 12), atol=5e-3)


@pytest.mark.parametrize('mirrored', [False, True])
def test_without_a_filter_large_windows_of_jpeg_files_are_rounded_to_whole_pixels(mirrored):
  # 12 samples in steps of 3 from row 5.4 on cover rows from 4.4 to 40.4, counted at their edges.
  left, right = 10.7, 43.7
  corners = (5.4, right, 38.4, left) if mirrored else (5.4, left, 38.4, right)
  got, whole = decoded(photo(51, 71), corners, 12, BILINEAR)
  part = whole[4:40, 10:46]
  expected = part.reshape(12, 3, 12, 3, 3)[:, 1, :, 1]  # the middle one of every three
  np.testing.assert_allclose(got, expected[:, ::-1] if mirrored else expected, atol=1e-4)


class TestAgainstKeras:
  """Compares with Keras's affine transformation of an image that has the crop's size."""

  @pytest.mark.parametrize(
    ('shift', 'zoom'), [((0.1, -0.2), (1, 1)), ((0, 0), (0.6, 1.4)), ((0.2, 0.05), (1.3, 0.7))]
  )
  def test_shift_and_zoom(self, shift, zoom):
    image_module = pytest.importorskip('keras.src.legacy.preprocessing.image')
    side = 20
    image = photo(side, side).astype(np.float32)
    expected = image_module.apply_affine_transform(
      image,
      ty=shift[0] * side,
      tx=shift[1] * side,
      zy=zoom[0],
      zx=zoom[1],
      row_axis=0,
      col_axis=1,
      channel_axis=2,
      fill_mode='nearest',
      order=1,
    )
    whole = window(0, 0, side - 1, side - 1)
    moved = windows.zoom(windows.shift(whole, side, *shift), *zoom)
    # SciPy computes in float64.
    np.testing.assert_allclose(sampled(image, moved, side), expected, atol=1e-3)


def test_only_the_windows_to_mirror_are_mirrored():
  with graph_session() as session:
    two_windows = windows.Window(*(tf.constant([value, value]) for value in (1.0, 2.0, 3.0, 4.0)))
    got = session.run(windows.mirror(two_windows, tf.constant([True, False])))
  assert [list(value) for value in got] == [[1, 1], [4, 2], [3, 3], [2, 4]]
