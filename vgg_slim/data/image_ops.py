"""From encoded bytes to what a network is fed, one step a function.

Random steps take their draws as arguments, uniform in [0, 1): an image is a function of its bytes
and its draws, in a session as in `tf.data`, and 0.5 is the middle.
"""

from collections.abc import Sequence

from vgg_slim.compat import tf

Scalar = int | float | tf.Tensor

# Gives Pillow's pixels exactly; TensorFlow's default is the fast one.
DCT_METHOD = 'INTEGER_ACCURATE'


def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
  """Decodes JPEG or PNG bytes, string [], to uint8 [H, W, 3], RGB, 0..255; grey is repeated."""
  return tf.io.decode_jpeg(encoded, channels=3, dct_method=DCT_METHOD)


def resize_smaller_side(image: tf.Tensor, side: Scalar) -> tf.Tensor:
  """Scales `image` so that its smaller side is exactly `side` pixels.

  Args:
    image: uint8 or float32 [H, W, 3], RGB, 0..255.
    side: int or int32 [], in pixels.

  Returns:
    float32 [H', W', 3], 0..255, with min(H', W') == side. Bilinear, no antialiasing. H' and W' are
    rounded, not truncated: truncation can give side - 1 and starve the crop.
  """
  size = resized_size(tf.shape(image)[:2], side)
  return tf.raw_ops.ResizeBilinear(images=image[tf.newaxis], size=size, half_pixel_centers=True)[0]


def resized_size(size: tf.Tensor, side: Scalar) -> tf.Tensor:
  """Height and width, int32 [..., 2], of a picture of `size` whose smaller side is now `side`."""
  ratio = tf.cast(side, tf.float32) / tf.cast(tf.reduce_min(size), tf.float32)
  return tf.cast(tf.round(tf.cast(size, tf.float32) * ratio[..., tf.newaxis]), tf.int32)


def draw_scale(smallest: int, largest: int, draw: Scalar) -> tf.Tensor:
  """The whole number, int32 [], of [smallest, largest] that `draw` in [0, 1) falls on."""
  return smallest + tf.cast(tf.floor(draw * tf.cast(largest - smallest + 1, tf.float32)), tf.int32)


def crop(image: tf.Tensor, side: int, draw_y: Scalar = 0.5, draw_x: Scalar = 0.5) -> tf.Tensor:
  """Cuts a square out of `image`; by default the middle.

  Args:
    image: [H, W, C], H and W at least `side`.
    side: in pixels.
    draw_y: in [0, 1), the place among the H - side + 1 from the top down.
    draw_x: in [0, 1), the place among the W - side + 1 from the left.

  Returns:
    [side, side, C].
  """
  places = tf.cast(tf.shape(image)[:2] - side + 1, tf.float32)
  corner = tf.cast(tf.floor(tf.stack([draw_y, draw_x]) * places), tf.int32)
  return tf.slice(image, [corner[0], corner[1], 0], [side, side, image.shape[-1]])


def crops_at(image: tf.Tensor, side: int, places: Sequence[tuple[float, float]]) -> tf.Tensor:
  """Cuts a square at every one of `places`.

  Args:
    image: [H, W, C], H and W at least `side`.
    side: in pixels.
    places: V times (y, x) in [0, 1]: the share of the room that is left above, and left of, the
      square; (0, 0) is the top left corner and (0.5, 0.5) what `crop` cuts by default.

  Returns:
    [V, side, side, C].
  """
  room = tf.cast(tf.shape(image)[:2] - side, tf.float32)
  corners = tf.cast(tf.floor(tf.constant(places, tf.float32) * room + 0.5), tf.int32)
  size = [side, side, image.shape[-1]]
  return tf.stack(
    [tf.slice(image, [*tf.unstack(corner), 0], size) for corner in tf.unstack(corners)]
  )


def flip(image: tf.Tensor, draw: Scalar) -> tf.Tensor:
  """Mirrors [H, W, C] left to right where `draw` is below 0.5."""
  return tf.cond(tf.less(draw, 0.5), lambda: tf.reverse(image, [1]), lambda: tf.identity(image))


def normalize(
  image: tf.Tensor, rgb_mean: Sequence[float], pixel_scale: float | Sequence[float]
) -> tf.Tensor:
  """(image - rgb_mean) * pixel_scale for float32 [..., H, W, 3], RGB, 0..255."""
  # Row by row: 0.02 ms for 224 x 224 pixels, against 0.3 ms where three numbers are broadcast.
  width = tf.shape(image)[-2]
  mean = tf.tile(tf.constant(rgb_mean, tf.float32), [width])
  scale = tf.tile(tf.broadcast_to(tf.constant(pixel_scale, tf.float32), [3]), [width])
  rows = (tf.reshape(image, [-1, 3 * width]) - mean) * scale
  return tf.ensure_shape(tf.reshape(rows, tf.shape(image)), image.shape)


def denormalize(
  image: tf.Tensor, rgb_mean: Sequence[float], pixel_scale: float | Sequence[float]
) -> tf.Tensor:
  """Inverse of `normalize`, rounded to uint8 [..., 3] for looking at."""
  pixels = tf.round(
    image / tf.constant(pixel_scale, tf.float32) + tf.constant(rgb_mean, tf.float32)
  )
  return tf.cast(tf.clip_by_value(pixels, 0, 255), tf.uint8)
