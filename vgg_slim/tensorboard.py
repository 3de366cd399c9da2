"""What TensorBoard shows: event files, and what is written to them."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vgg_slim.compat import tf

if TYPE_CHECKING:  # half a second, for those who draw
  from vgg_slim.plotting.samples import Figure

EVENT_FILES = 'events.out.tfevents.*'  # pattern of their names


def open_events(folder: str, step: int | None = None) -> tf.summary.FileWriter:
  """A new event file in `folder`, which is made where it is missing.

  Args:
    folder: of one run of TensorBoard's.
    step: TensorBoard forgets what older files of the folder say of this step and later, as a killed
      run may have left. None: of nothing.
  """
  with tf.Graph().as_default():  # a writer wants no eager execution
    writer = tf.summary.FileWriter(folder)
  if step is not None:
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step)
  return writer


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
