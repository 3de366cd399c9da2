"""Views of an image as windows: where in the original the pixels of a view are sampled.

Scaling, cropping, shifting, zooming and mirroring only move a window. The image is resampled once,
at the end, and of a JPEG file only the part under the window is decoded, with a margin as wide as
the resize filter. Functions that move a window take scalars for an image, or [N] for a batch.
"""

from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.preprocessing import graph
from vgg_slim.preprocessing.description import ANTIALIASED

# Upsampled colour differs from the whole image's in the first and last column of a decoded part.
_CHROMA_MARGIN = 1
# By which float32 may make the step between two samples longer than one pixel when it is not.
_ROUNDING = 1e-4


class Window(NamedTuple):
  """Positions of the centres of a view's corner pixels, float32, [] or [N].

  In pixels of the original, whose own centres have whole numbers. left > right mirrors.
  """

  top: tf.Tensor
  left: tf.Tensor
  bottom: tf.Tensor
  right: tf.Tensor


def resized_crop(
  size: tf.Tensor, scale: tf.Tensor, side: int, draw_y: tf.Tensor, draw_x: tf.Tensor
) -> Window:
  """The window of `graph.crop(graph.resize_smaller_side(image, scale, ...), side, ...)`.

  Args:
    size: int32 [2], height and width of the original.
    scale: int32, smaller side of the resized image, in pixels.
    side: of the crop, in pixels, at most `scale`.
    draw_y: float32 in [0, 1), which of the rows of the resized image the crop starts at.
    draw_x: float32 in [0, 1), which of its columns the crop starts at.
  """
  resized = graph.resized_size(size, scale)
  pitch = tf.cast(size, tf.float32) / tf.cast(resized, tf.float32)
  corner = tf.floor(tf.stack([draw_y, draw_x], -1) * tf.cast(resized - side + 1, tf.float32))
  first = (corner + 0.5) * pitch - 0.5
  last = (corner + side - 0.5) * pitch - 0.5
  return Window(first[..., 0], first[..., 1], last[..., 0], last[..., 1])


def shift(window: Window, side: int, share_y: tf.Tensor, share_x: tf.Tensor) -> Window:
  """Moves a window of `side` x `side` pixels down and right by shares of its height and width."""
  down = (window.bottom - window.top) * (side / (side - 1)) * share_y
  right = (window.right - window.left) * (side / (side - 1)) * share_x
  return Window(window.top + down, window.left + right, window.bottom + down, window.right + right)


def zoom(window: Window, factor_y: tf.Tensor, factor_x: tf.Tensor) -> Window:
  """Multiplies height and width of a window about its centre; below 1 things look larger."""
  top, bottom = _scale_about_middle(window.top, window.bottom, factor_y)
  left, right = _scale_about_middle(window.left, window.right, factor_x)
  return Window(top, left, bottom, right)


def mirror(window: Window, where: tf.Tensor) -> Window:
  """Mirrors left to right where the bool is true."""
  return window._replace(
    left=tf.where(where, window.right, window.left),
    right=tf.where(where, window.left, window.right),
  )


def sample(images: tf.Tensor, window: Window, side: int, resize_filter: str) -> tf.Tensor:
  """Samples images under windows; outside an image its edge goes on.

  Args:
    images: uint8 or float32 [N, H, W, C].
    window: of [N].
    side: of the views, at least 2.
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
  """Samples between the four neighbours of each position; as `sample` without a filter."""
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
  """Decodes JPEG bytes, string [], under one window only, and samples it as `sample` does.

  Args:
    encoded: a JPEG file.
    size: int32 [2], its height and width.
    window: of [].
    side: of the view.
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
  """One antialiased view, float32 [side, side, C], of one image [H, W, C]."""
  size = tf.cast(tf.shape(image)[:2], tf.float32)
  first, last = _ends(window)
  step, radius = (last - first) / (side - 1), _radius(window, side)
  # The filter ends at the edges, unless some of the view lies beyond them.
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
  """Whether any of the windows is sampled in steps of more than a pixel."""
  first, last = _ends(window)
  return tf.reduce_any(last - first > (side - 1) * (1 + _ROUNDING))


def _radius(window: Window, side: int) -> tf.Tensor:
  """Pixels, float32 [2], that the antialiased filter reaches up and down, and left and right."""
  first, last = _ends(window)
  return tf.maximum((last - first) / (side - 1), 1)


def _ends(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
  """First and last position, float32 [..., 2] each, of y and x, whether mirrored or not."""
  corners = tf.stack(window[:2], -1), tf.stack(window[2:], -1)
  return tf.minimum(*corners), tf.maximum(*corners)


def _moved(window: Window, corner: tf.Tensor) -> Window:
  """The window in the pixels of a part that starts at `corner`, int32 [2]."""
  inside = tf.stack(window) - tf.cast(tf.tile(corner, [2]), tf.float32)
  return Window(*tf.unstack(inside))


def _decode_and_interpolate(
  encoded: tf.Tensor, size: tf.Tensor, window: Window, side: int
) -> tf.Tensor:
  """Decodes and samples without a filter.

  A window larger than the view and inside the image is moved to whole pixels, which is half the
  work of sampling; others are sampled as `_interpolate` does. See docs/decisions/0017.
  """
  corners = tf.reshape(tf.stack(window), [2, 2])
  first, last = tf.reduce_min(corners, 0), tf.reduce_max(corners, 0)
  margin = (last - first) / (2 * (side - 1))
  low, high = (tf.cast(tf.round(edge + 0.5), tf.int32) for edge in (first - margin, last + margin))
  is_plain = tf.reduce_all((low >= 0) & (high <= size) & (high - low >= side))

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
    inside = Window(*(position[tf.newaxis] for position in _moved(window, first)))
    return _interpolate(part[tf.newaxis], inside, side)[0]

  return tf.cond(is_plain, resized, sampled)


def _decode_part(encoded: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  return tf.io.decode_and_crop_jpeg(
    encoded, tf.concat([corner, size], 0), channels=3, dct_method=graph.DCT_METHOD
  )


def _scale_about_middle(
  first: tf.Tensor, last: tf.Tensor, factor: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  middle, half = (first + last) / 2, (last - first) / 2 * factor
  return middle - half, middle + half


def _reach(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
  """First and last row and column, int32 [2] each, that samples of any of the windows may touch.

  One pixel more than bilinear sampling reads at either end, so that a position which float32 moves
  past a whole number is still inside.
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
