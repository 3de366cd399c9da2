"""Training augmentation, as tables of named steps that `PreprocessingConfig` switches on.

Each image has a row of draws, uniform in [0, 1), where 0.5 is the middle. Each step reads its own
columns of that row, so neither switching a step on nor adding one changes the draws of the others.
A new step is an entry in `_WINDOW_STEPS` or `_PIXEL_STEPS`.
"""

import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data.input import windows
from vgg_slim.data.input.windows import Window
from vgg_slim.preprocessing import graph

# First columns of the steps of version 0.1, which share one stream of draws; its last column is
# not used. Every other step has a stream of its own, so this table never changes.
_SHARED_COLUMNS = {
  'crop': 0,
  'flip': 3,
  'shift': 4,
  'zoom': 6,
  'brightness': 8,
  'rgb_shift': 9,
  'random_erasing': 12,
  'cutout': 17,
  'mix': 19,
}
_SHARED_DRAWS = 24
_SHARED_STREAM = 0

_CROP_DRAWS = 3  # scale, y, x
_MIX_DRAWS = 4  # cutmix or mixup, fraction of the image's own pixels, y, x

_PHILOX = 1
_PHILOX_WORDS = 4  # float32 draws per step of the Philox counter

# Zhong et al., arXiv:1708.04896, 4.2.
_ERASED_AREA = 0.02, 0.33
_ERASED_ASPECT = 0.3, 1 / 0.3

_BETA_QUANTILES = 4097


class Mix(NamedTuple):
  """Second labels that mixing adds to a batch, and weights.

  Attributes:
    labels: labels of the images mixed in, int32 [N].
    weight: weight of each image's own label, float32 [N].
  """

  labels: tf.Tensor
  weight: tf.Tensor


class _WindowStep(NamedTuple):
  """A step that moves a window: `apply(window, config, side, draws [..., num_draws])`."""

  num_draws: int
  is_on: Callable[[PreprocessingConfig], bool]
  apply: Callable[[Window, PreprocessingConfig, int, tf.Tensor], Window]


class _PixelStep(NamedTuple):
  """A step that changes pixels: `apply(images [N, h, w, 3], config, draws [N, num_draws])`."""

  num_draws: int
  is_on: Callable[[PreprocessingConfig], bool]
  apply: Callable[[tf.Tensor, PreprocessingConfig, tf.Tensor], tf.Tensor]


def draw(seed: int, first_index: tf.Tensor, count: int) -> tf.Tensor:
  """Returns the draws of `count` consecutive images of a run, float32 [count, num_draws()].

  An image gets the same draws alone as in a batch.

  Args:
    seed: random seed of the run.
    first_index: index of the first image, counted from step 0 of the run, int64 [].
    count: number of images.
  """
  streams = [_draw_stream(seed, first_index, count, _SHARED_DRAWS, _SHARED_STREAM)]
  streams += [
    _draw_stream(seed, first_index, count, num_draws, stream_of(step))
    for step, num_draws in _own_streams().items()
  ]
  return streams[0] if len(streams) == 1 else tf.concat(streams, 1)


def num_draws() -> int:
  """Number of draws of an image."""
  return _SHARED_DRAWS + sum(_own_streams().values())


def columns(step: str) -> slice:
  """Returns the columns of a step in a row of draws."""
  num_draws = _draws()[step]
  own = list(_own_streams().items())
  starts = {name: _SHARED_DRAWS + sum(n for _, n in own[:i]) for i, (name, _) in enumerate(own)}
  first = {**starts, **_SHARED_COLUMNS}.get(step, 0)  # a step without draws has no columns
  return slice(first, first + num_draws)


def stream_of(step: str) -> int:
  """Returns the number of the stream of a step that does not share the first one."""
  return zlib.crc32(step.encode())


def _draw_stream(
  seed: int, first_index: tf.Tensor, count: int, num_draws: int, stream: int
) -> tf.Tensor:
  """Returns draws of one Philox stream, float32 [count, num_draws].

  The seed is the key, the stream the upper half of the counter, and the lower half runs over the
  images of the run.
  """
  words = math.ceil(num_draws / _PHILOX_WORDS)
  counter = tf.cast(first_index * words, tf.uint64)
  draws = tf.raw_ops.StatelessRandomUniformV2(
    shape=[count, words * _PHILOX_WORDS],
    key=tf.constant([seed], tf.uint64),
    counter=tf.stack([counter, tf.constant(stream, tf.uint64)]),
    alg=_PHILOX,
  )
  return draws[:, :num_draws]


def draw_window(
  size: tf.Tensor, config: PreprocessingConfig, side: int, draws: tf.Tensor
) -> Window:
  """Draws the training window of an image, or of every image of a batch.

  Args:
    size: height and width of the original, int32 [2].
    config: config of the preprocessing; only scale, aspect ratio, flip, shift
      and zoom are used.
    side: side of the crop in pixels.
    draws: draws of the image or images, float32 [..., num_draws()].

  Returns:
    A window with coordinates of shape [...].
  """
  crop = draws[..., columns('crop')]
  scale = graph.draw_scale(config.train_scale_min, config.train_scale_max, crop[..., 0])
  resized = graph.resized_size(size, scale, config.keep_aspect_ratio)
  window = windows.resized_crop(size, resized, side, crop[..., 1], crop[..., 2])
  for name, step in _WINDOW_STEPS.items():
    if step.is_on(config):
      window = step.apply(window, config, side, draws[..., columns(name)])
  return window


def change_pixels(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  """Applies the color steps, normalization and erasing.

  Args:
    images: RGB images, 0..255, float32 [N, h, w, 3].
    config: config of the preprocessing; settings of windows and mixing are not used.
    draws: draws of the images, float32 [N, num_draws()].

  Returns:
    Normalized images, float32 [N, h, w, 3].
  """
  for name, step in _PIXEL_STEPS.items():
    if step.is_on(config):
      images = step.apply(images, config, draws[..., columns(name)])
  return images


def mix(
  images: tf.Tensor, labels: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor
) -> tuple[tf.Tensor, Mix]:
  """Applies mixup or cutmix; image i is mixed with the i-th image from the end of its batch.

  Args:
    images: normalized images, float32 [N, h, w, 3].
    labels: labels of the images, int32 [N].
    config: config of the preprocessing; only `mixup` and `cutmix` are used, and one must be on.
    draws: draws of the images, float32 [N, num_draws()].

  Returns:
    The mixed images, float32 [N, h, w, 3], and the second labels with their weights.
  """
  which, share, y, x = tf.unstack(draws[..., columns('mix')], axis=-1)
  rest = 1 - _beta(share, config.cutmix)
  height, width = images.shape[1:3]
  pasted = _rectangles(height, width, y * height, x * width, *_half_sides(height, width, rest))
  kept_area = 1 - tf.reduce_mean(pasted, [1, 2, 3])
  cutmix_probability = bool(config.cutmix) / (bool(config.cutmix) + bool(config.mixup))
  cuts = tf.cast(which < cutmix_probability, tf.float32)
  weight = cuts * kept_area + (1 - cuts) * _beta(share, config.mixup)
  own = _per_image(cuts) * (1 - pasted) + _per_image((1 - cuts) * weight)
  mixed = images * own + images[::-1] * (1 - own)
  return mixed, Mix(labels[::-1], weight)


def soft_labels(labels: tf.Tensor, mix: Mix, num_classes: int) -> tf.Tensor:
  """Returns the class weights of mixed images, float32 [N, num_classes]."""
  weight = mix.weight[:, tf.newaxis]
  own, other = (tf.one_hot(ids, num_classes) for ids in (labels, mix.labels))
  return own * weight + other * (1 - weight)


def _draws() -> dict[str, int]:
  """Number of draws of every step by name."""
  steps: dict[str, _WindowStep | _PixelStep] = {**_WINDOW_STEPS, **_PIXEL_STEPS}
  own = {name: step.num_draws for name, step in steps.items()}
  return {'crop': _CROP_DRAWS, **own, 'mix': _MIX_DRAWS}


def _own_streams() -> dict[str, int]:
  """Number of draws of the steps that have a stream of their own."""
  return {name: n for name, n in _draws().items() if n and name not in _SHARED_COLUMNS}


def _between(low: float, high: float, draw: tf.Tensor) -> tf.Tensor:
  return low + (high - low) * draw


def _shift(window: Window, config: PreprocessingConfig, side: int, draws: tf.Tensor) -> Window:
  down = _between(-config.height_shift, config.height_shift, draws[..., 0])
  right = _between(-config.width_shift, config.width_shift, draws[..., 1])
  return windows.shift(window, side, down, right)


def _zoom(window: Window, config: PreprocessingConfig, side: int, draws: tf.Tensor) -> Window:
  factors = _between(config.zoom_min, config.zoom_max, draws)
  return windows.zoom(window, factors[..., 0], factors[..., 1])


def _flip(window: Window, config: PreprocessingConfig, side: int, draws: tf.Tensor) -> Window:
  return windows.mirror(window, draws[..., 0] < 0.5)


def _brightness(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  factor = _between(config.brightness_min, config.brightness_max, draws[:, 0])
  return tf.clip_by_value(images * _per_image(factor), 0, 255)


def _brightness_delta(
  images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor
) -> tf.Tensor:
  delta = _between(-config.brightness_delta, config.brightness_delta, draws[:, 0])
  return images + _per_image(delta)


def _contrast(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  factor = _between(config.contrast_min, config.contrast_max, draws[:, 0])
  mean = tf.reduce_mean(images, [1, 2], keepdims=True)
  return (images - mean) * _per_image(factor) + mean


def _rgb_shift(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  """Adds sum(a_i * eigenvalue_i * eigenvector_i) with normal a_i, as Krizhevsky et al. (2012), 4.1.

  The eigenvalues are computed for pixels in 0..1, which the paper's standard deviation of 0.1
  assumes; the factor 255 converts the shift to this library's 0..255.
  """
  eigenvalues, eigenvectors = np.linalg.eigh(np.array(config.rgb_covariance) / 255**2)
  axes = tf.constant(255 * config.rgb_shift * eigenvalues * eigenvectors, tf.float32)
  # Draws are multiples of 2**-23; adding half a step keeps a draw of 0 finite.
  normal = tf.math.ndtri(draws + 2**-24)
  return images + tf.matmul(normal, axes, transpose_b=True)[:, tf.newaxis, tf.newaxis]


def _normalize(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  return graph.network_input(images, config)


def _random_erasing(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  whether, area, aspect, y, x = tf.unstack(draws, axis=-1)
  height, width = images.shape[1:3]
  area = _between(*_ERASED_AREA, area) * height * width
  low, high = np.log(_ERASED_ASPECT)
  aspect = tf.exp(_between(low, high, aspect))
  half_height, half_width = tf.sqrt(area * aspect) / 2, tf.sqrt(area / aspect) / 2
  # A rectangle longer than the image covers it from edge to edge for every draw.
  middle_y = half_height + y * (height - 2 * half_height)
  middle_x = half_width + x * (width - 2 * half_width)
  erased = _rectangles(height, width, middle_y, middle_x, half_height, half_width)
  return images * (1 - erased * _per_image(tf.cast(whether < config.random_erasing, tf.float32)))


def _cutout(images: tf.Tensor, config: PreprocessingConfig, draws: tf.Tensor) -> tf.Tensor:
  height, width = images.shape[1:3]
  half = config.cutout / 2
  middle_y, middle_x = draws[:, 0] * height, draws[:, 1] * width
  return images * (1 - _rectangles(height, width, middle_y, middle_x, half * height, half * width))


# Steps are applied in this order. Keras, too, shifts before it zooms, and flips last.
_WINDOW_STEPS: dict[str, _WindowStep] = {
  'shift': _WindowStep(2, lambda c: c.height_shift > 0 or c.width_shift > 0, _shift),  # y, x
  'zoom': _WindowStep(2, lambda c: (c.zoom_min, c.zoom_max) != (1, 1), _zoom),  # y, x
  'flip': _WindowStep(1, lambda c: c.random_flip, _flip),
}
_PIXEL_STEPS: dict[str, _PixelStep] = {
  'brightness': _PixelStep(
    1, lambda c: (c.brightness_min, c.brightness_max) != (1, 1), _brightness
  ),
  # Neither of these two clips, nor do the functions of tf.image for float pixels.
  'brightness_delta': _PixelStep(1, lambda c: c.brightness_delta > 0, _brightness_delta),
  'contrast': _PixelStep(1, lambda c: (c.contrast_min, c.contrast_max) != (1, 1), _contrast),
  'rgb_shift': _PixelStep(3, lambda c: c.rgb_shift > 0, _rgb_shift),  # one per principal axis
  'normalize': _PixelStep(0, lambda c: True, _normalize),
  # whether to erase, area, aspect ratio, y, x
  'random_erasing': _PixelStep(5, lambda c: c.random_erasing > 0, _random_erasing),
  'cutout': _PixelStep(2, lambda c: c.cutout > 0, _cutout),  # y, x
}


def _per_image(values: tf.Tensor) -> tf.Tensor:
  return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _half_sides(height: int, width: int, area: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns half the height and width of a rectangle that covers the fraction `area` of an image.

  The rectangle has the aspect ratio of the image.
  """
  return tf.sqrt(area) * height / 2, tf.sqrt(area) * width / 2


def _rectangles(
  height: int,
  width: int,
  middle_y: tf.Tensor,
  middle_x: tf.Tensor,
  half_height: tf.Tensor | float,
  half_width: tf.Tensor | float,
) -> tf.Tensor:
  """Returns masks, float32 [N, height, width, 1], that are 1 in a rectangle of whole pixels."""

  def inside(length: int, middle: tf.Tensor, half: tf.Tensor | float) -> tf.Tensor:
    centers = tf.range(length, dtype=tf.float32) + 0.5
    low, high = tf.round(middle - half), tf.round(middle + half)
    return tf.cast((centers > low[:, tf.newaxis]) & (centers < high[:, tf.newaxis]), tf.float32)

  rows, columns = inside(height, middle_y, half_height), inside(width, middle_x, half_width)
  return (rows[:, :, tf.newaxis] * columns[:, tf.newaxis])[..., tf.newaxis]


def _beta(draw: tf.Tensor, parameter: float) -> tf.Tensor:
  """Looks up quantiles of Beta(parameter, parameter) in a table; returns ones if it is 0."""
  if not parameter:
    return tf.ones_like(draw)
  from scipy import special  # slow to import, and needed for mixing only

  levels = np.linspace(0, 1, _BETA_QUANTILES)
  table = tf.constant(special.betaincinv(parameter, parameter, levels), tf.float32)
  position = draw * (_BETA_QUANTILES - 1)
  below = tf.cast(position, tf.int32)
  low, high = tf.gather(table, below), tf.gather(table, below + 1)
  return low + (high - low) * (position - tf.floor(position))
