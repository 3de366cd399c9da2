"""TensorBoard event files and the values written to them."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vgg_slim.compat import tf

if TYPE_CHECKING:  # importing matplotlib takes half a second
  from vgg_slim.plotting.samples import Figure

EVENT_FILES = 'events.out.tfevents.*'  # glob pattern of the file names


def open_events(folder: str, step: int | None = None) -> tf.summary.FileWriter:
  """Opens a new event file in `folder`, which is created if missing.

  Args:
    folder: folder of one TensorBoard run.
    step: step from which on TensorBoard discards values of older event files in the folder, such as
      those of a killed run. None keeps all values.
  """
  with tf.Graph().as_default():  # FileWriter refuses eager execution
    writer = tf.summary.FileWriter(folder)
  if step is not None:
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step)
  return writer


def figure_value(tag: str, figure: 'Figure') -> tf.Summary.Value:
  """Renders a figure of `vgg_slim.plotting` as a PNG image value."""
  stream = io.BytesIO()
  figure.savefig(stream, format='png')
  width, height = figure.canvas.get_width_height()
  image = tf.Summary.Image(height=height, width=width, encoded_image_string=stream.getvalue())
  return tf.Summary.Value(tag=tag, image=image)


def scalars(values: Mapping[str, float]) -> tf.Summary:
  """Builds a summary of scalar values, by tag."""
  scalar_values = [tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
  return tf.Summary(value=scalar_values)
