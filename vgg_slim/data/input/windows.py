"""Windows, which say where in the original image the pixels of a view are sampled.

Scaling, cropping, shifting, zooming and flipping only move the window. The image is resampled once,
at the end, and only the part of a JPEG file under the window is decoded, with a margin as wide as
the resize filter. Functions that move a window take scalars for one image, or [N] for a batch.
"""

from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.preprocessing import graph
from vgg_slim.preprocessing.description import ANTIALIASED

# Upsampled chroma differs from the whole image's in the first and last column of a decoded part.
_CHROMA_MARGIN = 1
# Relative amount by which float32 rounding may lengthen a sampling step of exactly one pixel.
_ROUNDING = 1e-4


class Window(NamedTuple):
  """Positions of the centers of a view's corner pixels, float32, [] or [N].

  The unit is a pixel of the original, whose own pixel centers lie at integers. A window with
  left > right flips the view horizontally.
  """

  top: tf.Tensor
  left: tf.Tensor
  bottom: tf.Tensor
  right: tf.Tensor


def resized_crop(
  size: tf.Tensor, resized: tf.Tensor, side: int, draw_y: tf.Tensor, draw_x: tf.Tensor
) -> Window:
  """Returns the window of a crop of the resized image.

  Args:
    size: height and width of the original, int32 [2].
    resized: height and width of the resized image, int32 [..., 2], see `graph.resized_size`.
    side: side of the crop in pixels, at most the smaller side of the resized image.
    draw_y: draw in [0, 1), float32, that selects the first row of the crop.
    draw_x: draw in [0, 1), float32, that selects the first column of the crop.
  """
  pitch = tf.cast(size, tf.float32) / tf.cast(resized, tf.float32)
  corner = tf.floor(tf.stack([draw_y, draw_x], -1) * tf.cast(resized - side + 1, tf.float32))
  first = (corner + 0.5) * pitch - 0.5
  last = (corner + side - 0.5) * pitch - 0.5
  return Window(first[..., 0], first[..., 1], last[..., 0], last[..., 1])


def shift(window: Window, side: int, fraction_y: tf.Tensor, fraction_x: tf.Tensor) -> Window:
  """Moves a window of `side` x `side` samples by fractions of its height and width."""
  down = (window.bottom - window.top) * (side / (side - 1)) * fraction_y
  right = (window.right - window.left) * (side / (side - 1)) * fraction_x
  return Window(window.top + down, window.left + right, window.bottom + down, window.right + right)


def zoom(window: Window, factor_y: tf.Tensor, factor_x: tf.Tensor) -> Window:
  """Scales a window about its center; a factor below 1 enlarges the content of the view."""
  top, bottom = _scale_about_center(window.top, window.bottom, factor_y)
  left, right = _scale_about_center(window.left, window.right, factor_x)
  return Window(top, left, bottom, right)


def mirror(window: Window, is_mirrored: tf.Tensor) -> Window:
  """Flips a window horizontally where `is_mirrored`, bool [] or [N], is true."""
  return window._replace(
    left=tf.where(is_mirrored, window.right, window.left),
    right=tf.where(is_mirrored, window.left, window.right),
  )


def sample(images: tf.Tensor, window: Window, side: int, resize_filter: str) -> tf.Tensor:
  """Samples one window of each image; edge pixels are repeated outside an image.

  Args:
    images: one image per window, uint8 or float32 [N, H, W, C].
    window: windows, with coordinates of shape [N].
    side: side of the views in pixels, at least 2.
    resize_filter: one of `description.RESIZE_FILTERS`.

  Returns:
    float32 [N, side, side, C].
  """

  def resampled() -> tf.Tensor:
    return tf.map_fn(
      lambda row: _resample(row[0], row[1], side),
      (images, window),
      fn_output_signature=tf.TensorSpec([side, side, images.shape[-1]], tf.float32),
    )

  if resize_filter != ANTIALIASED:
    return _interpolate(images, window, side)
  views = tf.cond(_reduces(window, side), resampled, lambda: _interpolate(images, window, side))
  return tf.ensure_shape(views, [images.shape[0], side, side, images.shape[-1]])


def _interpolate(images: tf.Tensor, window: Window, side: int) -> tf.Tensor:
  """Interpolates between the four neighbors of each position; `sample` without a filter."""
  size = tf.shape(images)[1:3]
  first, last = _reach(window)
  before = tf.maximum(-first, 0)
  after = tf.maximum(last - (size - 1), 0)
  images = tf.cond(
    tf.reduce_any(before + after > 0),
    lambda: _extend_edges(images, before, after),
    lambda: tf.identity(images),
  )
  corners = tf.stack(window, -1) + tf.cast(tf.tile(before, [2]), tf.float32)
  boxes = corners / tf.cast(tf.tile(size + before + after - 1, [2]), tf.float32)
  views = tf.raw_ops.CropAndResize(
    image=images, boxes=boxes, box_ind=tf.range(tf.shape(boxes)[0]), crop_size=[side, side]
  )
  views.set_shape([boxes.shape[0], side, side, images.shape[-1]])
  return views


def decode_window(
  encoded: tf.Tensor, size: tf.Tensor, window: Window, side: int, resize_filter: str
) -> tf.Tensor:
  """Decodes only the part of a JPEG file under one window, and samples it as `sample` does.

  Args:
    encoded: content of a JPEG file, string [].
    size: height and width of the image, int32 [2].
    window: window with scalar coordinates.
    side: side of the view in pixels.
    resize_filter: one of `description.RESIZE_FILTERS`.

  Returns:
    float32 [side, side, 3], RGB, 0..255.
  """

  def resampled() -> tf.Tensor:
    first, last = _ends(window)
    margin = _radius(window, side) + _CHROMA_MARGIN
    low = tf.clip_by_value(tf.cast(tf.floor(first - margin), tf.int32), 0, size - 1)
    high = tf.clip_by_value(tf.cast(tf.math.ceil(last + margin), tf.int32), 0, size - 1)
    part = _decode_part(encoded, low, high - low + 1)
    return _resample(part, _moved(window, low), side)

  if resize_filter != ANTIALIASED:
    return _decode_and_interpolate(encoded, size, window, side)
  return tf.cond(
    _reduces(window, side),
    resampled,
    lambda: _decode_and_interpolate(encoded, size, window, side),
  )


def _resample(image: tf.Tensor, window: Window, side: int) -> tf.Tensor:
  """Samples one antialiased view, float32 [side, side, C], of one image [H, W, C]."""
  size = tf.cast(tf.shape(image)[:2], tf.float32)
  first, last = _ends(window)
  step, radius = (last - first) / (side - 1), _radius(window, side)
  # The filter is cut off at the edges of the image unless part of the view lies beyond them.
  before = tf.where(first < -0.5, tf.math.ceil(radius - first), tf.zeros([2]))
  after = tf.where(last > size - 0.5, tf.math.ceil(radius + last - size), tf.zeros([2]))
  image = tf.cond(
    tf.reduce_any(before + after > 0),
    lambda: _extend_edges(image[tf.newaxis], tf.cast(before, tf.int32), tf.cast(after, tf.int32))[
      0
    ],
    lambda: tf.identity(image),
  )
  view = graph.resample(image, [side, side], 1 / step, 0.5 - (first + before + 0.5) / step)
  view = tf.ensure_shape(view, [side, side, image.shape[-1]])
  return tf.cond(
    window.left > window.right, lambda: tf.reverse(view, [1]), lambda: tf.identity(view)
  )


def _reduces(window: Window, side: int) -> tf.Tensor:
  """Returns whether any window is sampled in steps of more than one pixel, bool []."""
  first, last = _ends(window)
  return tf.reduce_any(last - first > (side - 1) * (1 + _ROUNDING))


def _radius(window: Window, side: int) -> tf.Tensor:
  """Returns the vertical and horizontal radius of the antialiased filter in pixels, float32 [2]."""
  first, last = _ends(window)
  return tf.maximum((last - first) / (side - 1), 1)


def _ends(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the lowest and highest positions (y, x), float32 [..., 2] each, mirrored or not."""
  corners = tf.stack(window[:2], -1), tf.stack(window[2:], -1)
  return tf.minimum(*corners), tf.maximum(*corners)


def _moved(window: Window, corner: tf.Tensor) -> Window:
  """Returns the window in the coordinates of a part that starts at `corner`, int32 [2]."""
  moved = tf.stack(window) - tf.cast(tf.tile(corner, [2]), tf.float32)
  return Window(*tf.unstack(moved))


def _decode_and_interpolate(
  encoded: tf.Tensor, size: tf.Tensor, window: Window, side: int
) -> tf.Tensor:
  """Decodes the part under a window and samples it without a filter.

  A window inside the image that is larger than the view is rounded to whole pixels, which halves
  the work; other windows are sampled by `_interpolate`. See docs/decisions/0017.
  """
  corners = tf.reshape(tf.stack(window), [2, 2])
  first, last = tf.reduce_min(corners, 0), tf.reduce_max(corners, 0)
  margin = (last - first) / (2 * (side - 1))
  low, high = (tf.cast(tf.round(edge + 0.5), tf.int32) for edge in (first - margin, last + margin))
  is_resizable = tf.reduce_all((low >= 0) & (high <= size) & (high - low >= side))

  def resized() -> tf.Tensor:
    part = _decode_part(encoded, low, high - low)
    view = tf.raw_ops.ResizeBilinear(
      images=part[tf.newaxis], size=[side, side], half_pixel_centers=True
    )[0]
    return tf.cond(
      window.left > window.right, lambda: tf.reverse(view, [1]), lambda: tf.identity(view)
    )

  def sampled() -> tf.Tensor:
    first, last = _reach(Window(*(position[tf.newaxis] for position in window)))
    first = tf.clip_by_value(first - _CHROMA_MARGIN, 0, size - 1)
    last = tf.clip_by_value(last + _CHROMA_MARGIN, 0, size - 1)
    part = _decode_part(encoded, first, last - first + 1)
    moved = Window(*(position[tf.newaxis] for position in _moved(window, first)))
    return _interpolate(part[tf.newaxis], moved, side)[0]

  return tf.cond(is_resizable, resized, sampled)


def _decode_part(encoded: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  return tf.io.decode_and_crop_jpeg(
    encoded, tf.concat([corner, size], 0), channels=3, dct_method=graph.DCT_METHOD
  )


def _scale_about_center(
  first: tf.Tensor, last: tf.Tensor, factor: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  center, half = (first + last) / 2, (last - first) / 2 * factor
  return center - half, center + half


def _reach(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the first and last (row, column), int32 [2] each, that samples of any window may read.

  This is one pixel more at either end than bilinear sampling reads, so a position that float32
  rounds past an integer is still inside.
  """
  ends = tf.stack(window, -1)
  ends = tf.stack([ends[:, :2], ends[:, 2:]])  # first or last, image, y or x
  first = tf.cast(tf.math.ceil(tf.reduce_min(ends, [0, 1])), tf.int32) - 1
  last = tf.cast(tf.floor(tf.reduce_max(ends, [0, 1])), tf.int32) + 1
  return first, last


def _extend_edges(images: tf.Tensor, before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
  for axis in (1, 2):
    length = tf.shape(images)[axis]
    rows = tf.range(-before[axis - 1], length + after[axis - 1])
    images = tf.gather(images, tf.clip_by_value(rows, 0, length - 1), axis=axis)
  return images
