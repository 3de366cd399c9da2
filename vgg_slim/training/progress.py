"""Speed, time left, and the progress line."""

import time
from collections.abc import Callable
from typing import TextIO


class Stopwatch:
  """Images per second over training steps alone: `pause` keeps validation and saving out."""

  def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
    self._clock = clock
    self._started: float | None = None
    self._seconds = 0.0
    self._images = 0

  def tick(self, images: int) -> None:
    """Ends a step of so many images. The first tick after a pause only starts the clock.

    So the first step, which plans the graph's memory and takes up to 10x the time, is left out.
    """
    now = self._clock()
    if self._started is not None:
      self._seconds += now - self._started
      self._images += images
    self._started = now

  def pause(self) -> None:
    self._started = None

  def reset(self) -> None:
    """Forgets the past but keeps running."""
    self._seconds, self._images = 0.0, 0

  @property
  def images_per_second(self) -> float:
    """0 until the second step has ended."""
    return self._images / self._seconds if self._seconds else 0.0


def format_duration(seconds: float) -> str:
  """'0:07', '12:05', '3:07:09'."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


def format_line(
  step: int,
  total_steps: int,
  epoch: float,
  total_loss: float,
  accuracy: float,
  images_per_second: float,
  images_left: int,
) -> str:
  """The progress line: place, loss with weight decay, batch accuracy, speed, time left."""
  eta = format_duration(images_left / images_per_second) if images_per_second else '-'
  width = len(str(total_steps))
  return (
    f'step {step:{width}d}/{total_steps}  epoch {epoch:6.2f}  loss {total_loss:7.4f}  '
    f'accuracy {accuracy:6.1%}  {images_per_second:6.1f} images/s  ETA {eta}'
  )


class Reporter:
  """Lines for a person: `line` stays, `status` is overwritten and shown on a terminal only.

  A quiet one leaves out `progress` and `status`.
  """

  def __init__(self, stream: TextIO, quiet: bool = False) -> None:
    self._stream, self._quiet = stream, quiet
    self._on_terminal = stream.isatty()
    self._status_width = 0

  def line(self, text: str) -> None:
    self._write(text.ljust(self._status_width) + '\n')
    self._status_width = 0

  def progress(self, text: str) -> None:
    if not self._quiet:
      self.line(text)

  def status(self, text: str) -> None:
    if self._on_terminal and not self._quiet:
      self._write(text.ljust(self._status_width) + '\r')
      self._status_width = len(text)

  def _write(self, text: str) -> None:
    self._stream.write(text)
    self._stream.flush()
