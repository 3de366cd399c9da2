"""TensorBoard event files and the values written to them."""

import contextlib
import errno
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from vgg_slim.compat import tf

if TYPE_CHECKING:  # importing matplotlib takes half a second
  from vgg_slim.plotting.samples import Figure

_EVENT_FILE = 'events.out.tfevents.'
EVENT_FILES = f'{_EVENT_FILE}*'  # glob pattern of the file names


def open_events(folder: str, step: int | None = None) -> tf.summary.FileWriter:
  """Opens a new event file in `folder`, which is created if missing.

  Args:
    folder: folder of one TensorBoard run.
    step: step from which on TensorBoard discards values of older event files in the folder, such as
      those of a killed run. None keeps all values.
  """
  with tf.Graph().as_default():  # FileWriter refuses eager execution
    writer = _EventWriter(folder)
  if step is not None:
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step)
  return writer


class _EventWriter(tf.summary.FileWriter):
  """A writer of events that raises OSError with the name of the file when the disk is full."""

  def add_event(self, event: tf.Event) -> None:
    with self._explained():
      super().add_event(event)

  def flush(self) -> None:
    with self._explained():
      super().flush()

  def close(self) -> None:
    with self._explained():
      super().close()

  @contextlib.contextmanager
  def _explained(self) -> Iterator[None]:
    try:
      yield
    except Exception as error:  # C++ code in a thread of its own raises errors of any type
      path, _, reason = str(error).partition('\n')[0].partition('; ')
      if not reason or _EVENT_FILE not in path:
        raise
      raise OSError(errno.ENOSPC, reason, path) from error


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
