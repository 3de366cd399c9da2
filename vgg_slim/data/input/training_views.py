"""What training sees of a picture: a window of it, drawn anew each time, resampled and changed."""

import dataclasses
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import records
from vgg_slim.data.input import augment, windows
from vgg_slim.preprocessing import graph


class View(NamedTuple):
  """A view, or a batch of them.

  Attributes:
    image: float32 [..., side, side, 3], RGB, mean removed and scaled.
    label: int32 [...].
    index: int64 [...], count of pictures since step 0.
    draws: float32 [..., augment.NUM_DRAWS], of which mixing uses some further.
  """

  image: tf.Tensor
  label: tf.Tensor
  index: tf.Tensor
  draws: tf.Tensor


@dataclasses.dataclass(frozen=True)
class ViewMaker:
  """Makes views: functions of a picture, the seed, and the count of pictures since step 0.

  Attributes:
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the views, in pixels.
    seed: of the draws.
  """

  preprocessing: PreprocessingConfig
  image_size: int
  seed: int

  def of_record(self, index: tf.Tensor, serialized: tf.Tensor) -> View:
    """The view of an Example, string [], at `index`, int64 []."""
    example = records.parse_example(serialized)
    draws = augment.draw(self.seed, index, 1)[0]
    image = view_of_encoded(example.encoded, self.preprocessing, self.image_size, draws)
    # One by one they stay in the processor's cache: a batch of 64 took a fifth longer.
    image = augment.change_pixels(image[tf.newaxis], self.preprocessing, draws[tf.newaxis])[0]
    return View(image, example.label, index, draws)

  def of_pixels(self, indices: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, count: int) -> View:
    """The views of a batch.

    Args:
      indices: int64 [count], one after another.
      images: uint8 [count, H, W, 3], RGB, 0..255.
      labels: int32 [count].
      count: of pictures.
    """
    draws = augment.draw(self.seed, indices[0], count)
    size = tf.shape(images)[1:3]
    window = augment.draw_window(size, self.preprocessing, self.image_size, draws)
    images = windows.sample(images, window, self.image_size, self.preprocessing.resize_filter)
    images = augment.change_pixels(images, self.preprocessing, draws)
    return View(images, labels, indices, draws)

  def mix(self, views: View) -> tuple:
    """(images, labels, indices) of a batch, and what `augment.mix` gives where it is on."""
    if not self.preprocessing.mixes:
      return views.image, views.label, views.index
    images, mix = augment.mix(views.image, views.label, self.preprocessing, views.draws)
    return images, views.label, views.index, mix


def view_of_encoded(
  encoded: tf.Tensor, preprocessing: PreprocessingConfig, image_size: int, draws: tf.Tensor
) -> tf.Tensor:
  """The training window of a JPEG or PNG file; of a JPEG no more than that is decoded.

  Args:
    encoded: string [].
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop, in pixels.
    draws: float32 [augment.NUM_DRAWS].

  Returns:
    float32 [image_size, image_size, 3], RGB, 0..255.
  """

  def from_jpeg() -> tf.Tensor:
    size = tf.io.extract_jpeg_shape(encoded)[:2]
    window = augment.draw_window(size, preprocessing, image_size, draws)
    return windows.decode_window(encoded, size, window, image_size, preprocessing.resize_filter)

  def from_png() -> tf.Tensor:
    image = graph.decode_rgb(encoded)[tf.newaxis]
    size = tf.shape(image)[1:3]
    window = augment.draw_window(size, preprocessing, image_size, draws[tf.newaxis])
    return windows.sample(image, window, image_size, preprocessing.resize_filter)[0]

  return tf.cond(tf.io.is_jpeg(encoded), from_jpeg, from_png)
