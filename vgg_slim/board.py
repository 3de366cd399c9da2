"""What TensorBoard shows, as values of summaries."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vgg_slim.compat import tf

if TYPE_CHECKING:  # half a second, for those who draw
  from vgg_slim.plotting.samples import Figure


def picture(tag: str, figure: 'Figure') -> tf.Summary.Value:
  """A drawing of `vgg_slim.plotting`, as PNG."""
  stream = io.BytesIO()
  figure.savefig(stream, format='png')
  width, height = figure.canvas.get_width_height()
  image = tf.Summary.Image(height=height, width=width, encoded_image_string=stream.getvalue())
  return tf.Summary.Value(tag=tag, image=image)


def scalars(values: Mapping[str, float]) -> tf.Summary:
  """Numbers by tag."""
  found = [tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
  return tf.Summary(value=found)
