"""Preprocessing steps in the graph, one function per step, from encoded image to network input.

Random steps take their draws, uniform in [0, 1) with 0.5 as the middle, as arguments. The result
thus depends only on the bytes and the draws, in a session as in `tf.data`.
"""

from collections.abc import Sequence
from typing import TypeAlias

from vgg_slim.compat import tf
from vgg_slim.preprocessing.description import ANTIALIASED, HasPixelRules

Scalar: TypeAlias = int | float | tf.Tensor

# Decodes to exactly Pillow's pixels; TensorFlow's default is the fast method, which does not.
DCT_METHOD = 'INTEGER_ACCURATE'
_LONGEST_SIDE = 2.0**31 - 128  # the largest float32 that int32 holds; the next one becomes negative
_SHOWN_MEAN, _SHOWN_STD = 128.0, 64.0  # of standardized images where they are shown


def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
  """Decodes JPEG or PNG bytes, string [], to uint8 [H, W, 3], RGB; repeats a gray channel."""
  return tf.io.decode_jpeg(encoded, channels=3, dct_method=DCT_METHOD)


def resize(image: tf.Tensor, side: Scalar, rules: HasPixelRules) -> tf.Tensor:
  """Resizes an image so that its smaller side, or each side, is `side` pixels long.

  Args:
    image: RGB image, 0..255, uint8 or float32 [H, W, 3].
    side: side in pixels, int or int32 [].
    rules: description of the preprocessing; the filter and the aspect ratio are used.

  Returns:
    float32 [H', W', 3], 0..255, see `resize_smaller_side`.
  """
  size = resized_size(tf.shape(image)[:2], side, rules.keep_aspect_ratio)
  return _resize(image, size, rules.resize_filter)


def resize_smaller_side(image: tf.Tensor, side: Scalar, resize_filter: str) -> tf.Tensor:
  """Scales `image` so that its smaller side is exactly `side` pixels.

  Args:
    image: RGB image, 0..255, uint8 or float32 [H, W, 3].
    side: smaller side of the result in pixels, int or int32 [].
    resize_filter: one of `description.RESIZE_FILTERS`. They differ only where an image is reduced.

  Returns:
    float32 [H', W', 3], 0..255, with min(H', W') == side. H' and W' are rounded, not truncated:
    truncation can give side - 1, and the crop would not fit.
  """
  return _resize(image, resized_size(tf.shape(image)[:2], side), resize_filter)


def _resize(image: tf.Tensor, size: tf.Tensor, resize_filter: str) -> tf.Tensor:
  def interpolated() -> tf.Tensor:
    batch = image[tf.newaxis]
    return tf.raw_ops.ResizeBilinear(images=batch, size=size, half_pixel_centers=True)[0]

  if resize_filter != ANTIALIASED:
    return interpolated()
  factors = tf.cast(size, tf.float32) / tf.cast(tf.shape(image)[:2], tf.float32)
  # Without reduction both filters agree, and interpolation takes a third of the time.
  return tf.cond(
    tf.reduce_any(factors < 1), lambda: resample(image, size, factors, [0.0, 0.0]), interpolated
  )


def resample(
  image: tf.Tensor, size: tf.Tensor, factors: tf.Tensor, translation: tf.Tensor
) -> tf.Tensor:
  """Resizes with a triangle filter that spans two pixels of the result where the image is reduced.

  This is Pillow's BILINEAR. At the edges the filter is cut off and its weights are normalized.

  Args:
    image: image, uint8 or float32 [H, W, C].
    size: height and width of the result, int32 [2].
    factors: factors by which y and x are multiplied, float32 [2].
    translation: offsets in pixels of the result, added to y and x afterwards, float32 [2].

  Returns:
    float32 [size[0], size[1], C].
  """
  return tf.raw_ops.ScaleAndTranslate(
    images=image[tf.newaxis],
    size=size,
    scale=factors,
    translation=translation,
    kernel_type='triangle',
    antialias=True,
  )[0]


def resized_size(size: tf.Tensor, side: Scalar, keep_aspect_ratio: bool = True) -> tf.Tensor:
  """Returns height and width, int32 [..., 2], after the smaller side is resized to `side`.

  Without `keep_aspect_ratio` both of them are `side`.
  """
  if not keep_aspect_ratio:
    side = tf.cast(side, tf.int32)
    return tf.stack([side, side], -1)
  ratio = tf.cast(side, tf.float32) / tf.cast(tf.reduce_min(size), tf.float32)
  sides = tf.round(tf.cast(size, tf.float32) * ratio[..., tf.newaxis])
  return tf.cast(tf.minimum(sides, _LONGEST_SIDE), tf.int32)


def draw_scale(smallest: int, largest: int, draw: Scalar) -> tf.Tensor:
  """Returns the integer in [smallest, largest], int32 [], that `draw` in [0, 1) selects."""
  return smallest + tf.cast(tf.floor(draw * tf.cast(largest - smallest + 1, tf.float32)), tf.int32)


def crop(image: tf.Tensor, side: int, draw_y: Scalar = 0.5, draw_x: Scalar = 0.5) -> tf.Tensor:
  """Cuts a square out of `image`; by default its center.

  Args:
    image: image [H, W, C] of any type, with H and W at least `side`.
    side: side of the square in pixels.
    draw_y: draw in [0, 1) that selects one of the H - side + 1 first rows.
    draw_x: draw in [0, 1) that selects one of the W - side + 1 first columns.

  Returns:
    [side, side, C].
  """
  count = tf.cast(tf.shape(image)[:2] - side + 1, tf.float32)
  corner = tf.cast(tf.floor(tf.stack([draw_y, draw_x]) * count), tf.int32)
  return tf.slice(image, [corner[0], corner[1], 0], [side, side, image.shape[-1]])


def crops_at(image: tf.Tensor, side: int, positions: Sequence[tuple[float, float]]) -> tf.Tensor:
  """Cuts one square per position out of `image`.

  Args:
    image: image [H, W, C] of any type, with H and W at least `side`.
    side: side of the squares in pixels.
    positions: V pairs (y, x) in [0, 1], the fractions of the free rows above and of the free
      columns left of the square; (0, 0) is the top left corner, (0.5, 0.5) the default of `crop`.

  Returns:
    [V, side, side, C].
  """
  free = tf.cast(tf.shape(image)[:2] - side, tf.float32)
  corners = tf.cast(tf.floor(tf.constant(positions, tf.float32) * free + 0.5), tf.int32)
  size = [side, side, image.shape[-1]]
  return tf.stack(
    [tf.slice(image, [*tf.unstack(corner), 0], size) for corner in tf.unstack(corners)]
  )


def flip(image: tf.Tensor, draw: Scalar) -> tf.Tensor:
  """Flips [H, W, C] horizontally if `draw` is below 0.5."""
  return tf.cond(tf.less(draw, 0.5), lambda: tf.reverse(image, [1]), lambda: tf.identity(image))


def normalize(
  image: tf.Tensor, rgb_mean: Sequence[float], pixel_scale: float | Sequence[float]
) -> tf.Tensor:
  """Returns (image - rgb_mean) * pixel_scale for float32 [..., H, W, 3], RGB, 0..255."""
  # Tiled to complete rows: 0.02 ms for 224 x 224 pixels; broadcasting three numbers takes 0.3 ms.
  width = tf.shape(image)[-2]
  mean = tf.tile(tf.constant(rgb_mean, tf.float32), [width])
  scale = tf.tile(tf.broadcast_to(tf.constant(pixel_scale, tf.float32), [3]), [width])
  rows = (tf.reshape(image, [-1, 3 * width]) - mean) * scale
  return tf.ensure_shape(tf.reshape(rows, tf.shape(image)), image.shape)


def standardize(images: tf.Tensor) -> tf.Tensor:
  """Gives each image of float32 [..., H, W, C] mean 0 and standard deviation 1 over its pixels.

  The deviation is at least 1 / sqrt(H * W * C), so that an image of one color becomes zeros. This
  is `tf.image.per_image_standardization`.
  """
  axes = [-3, -2, -1]
  centered = images - tf.reduce_mean(images, axes, keepdims=True)
  variance = tf.reduce_mean(tf.square(centered), axes, keepdims=True)
  smallest = 1 / tf.cast(tf.reduce_prod(tf.shape(images)[-3:]), tf.float32)
  return centered * tf.math.rsqrt(tf.maximum(variance, smallest))


def network_input(images: tf.Tensor, rules: HasPixelRules) -> tf.Tensor:
  """Turns pixels, float32 [..., H, W, 3], RGB, 0..255, into what the network is fed."""
  if rules.per_image_standardization:
    return standardize(images)
  return normalize(images, rules.rgb_mean, rules.pixel_scale)


def display(images: tf.Tensor, rules: HasPixelRules) -> tf.Tensor:
  """Inverts `network_input`, up to contrast and brightness where images were standardized.

  Returns:
    uint8 [..., H, W, 3].
  """
  if rules.per_image_standardization:
    return denormalize(images, [_SHOWN_MEAN] * 3, 1 / _SHOWN_STD)
  return denormalize(images, rules.rgb_mean, rules.pixel_scale)


def denormalize(
  image: tf.Tensor, rgb_mean: Sequence[float], pixel_scale: float | Sequence[float]
) -> tf.Tensor:
  """Inverts `normalize` and rounds to uint8 [..., 3], for display."""
  pixels = tf.round(
    image / tf.constant(pixel_scale, tf.float32) + tf.constant(rgb_mean, tf.float32)
  )
  return tf.cast(tf.clip_by_value(pixels, 0, 255), tf.uint8)
