"""Training views of an image: a random window, resampled and augmented, drawn in each epoch."""

import dataclasses
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import records
from vgg_slim.data.input import augment, windows
from vgg_slim.preprocessing import graph


class View(NamedTuple):
  """One view, or a batch of them.

  Attributes:
    image: normalized image, float32 [..., side, side, 3], RGB.
    label: label of the image, int32 [...].
    index: index of the image in the run, counted from step 0, int64 [...].
    draws: draws of the image, float32 [..., augment.num_draws()]; mixing still needs some of them.
  """

  image: tf.Tensor
  label: tf.Tensor
  index: tf.Tensor
  draws: tf.Tensor


@dataclasses.dataclass(frozen=True)
class ViewMaker:
  """Makes views, which depend only on the image, the seed and the image's index in the run.

  Attributes:
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the views in pixels.
    seed: random seed of the draws.
  """

  preprocessing: PreprocessingConfig
  image_size: int
  seed: int

  def from_record(self, index: tf.Tensor, serialized: tf.Tensor) -> View:
    """Returns the view of a serialized Example, string [], at `index`, int64 []."""
    example = records.parse_example(serialized)
    draws = augment.draw(self.seed, index, 1)[0]
    image = view_of_encoded(example.encoded, self.preprocessing, self.image_size, draws)
    # Single images stay in the processor's cache: a batch of 64 took a fifth longer.
    image = augment.change_pixels(image[tf.newaxis], self.preprocessing, draws[tf.newaxis])[0]
    return View(image, example.label, index, draws)

  def from_pixels(
    self, indices: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, count: int
  ) -> View:
    """Returns the views of a batch.

    Args:
      indices: consecutive indices, int64 [count].
      images: RGB images, uint8 [count, H, W, 3].
      labels: labels of the images, int32 [count].
      count: number of images.
    """
    draws = augment.draw(self.seed, indices[0], count)
    size = tf.shape(images)[1:3]
    window = augment.draw_window(size, self.preprocessing, self.image_size, draws)
    images = windows.sample(images, window, self.image_size, self.preprocessing.resize_filter)
    images = augment.change_pixels(images, self.preprocessing, draws)
    return View(images, labels, indices, draws)

  def mix(self, views: View) -> tuple:
    """Returns (images, labels, indices) of a batch, with an `augment.Mix` added if mixing is on."""
    if not self.preprocessing.mixes:
      return views.image, views.label, views.index
    images, mix = augment.mix(views.image, views.label, self.preprocessing, views.draws)
    return images, views.label, views.index, mix


def view_of_encoded(
  encoded: tf.Tensor, preprocessing: PreprocessingConfig, image_size: int, draws: tf.Tensor
) -> tf.Tensor:
  """Samples the training window of a JPEG or PNG file; decodes no more of a JPEG than that.

  Args:
    encoded: content of the file, string [].
    preprocessing: see `PreprocessingConfig`.
    image_size: side of the crop in pixels.
    draws: draws of the image, float32 [augment.num_draws()].

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
