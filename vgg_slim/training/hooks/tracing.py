"""Traces of selected steps: the time that each operation takes."""

import json
import pathlib

from vgg_slim import files
from vgg_slim.compat import tf
from vgg_slim.training.hooks.base import Hook

PROFILE_FOLDER = 'profile'
FILES = 'step-*.json'  # pattern of the file names


class Tracer(Hook):
  """Writes `train_dir/profile/step-N.json` for a range of steps, which run a little slower."""

  def __init__(self, steps: tuple[int, ...], train_dir: str) -> None:
    """Writes nothing yet.

    Args:
      steps: first and last step to trace, counted from 1; empty for none.
      train_dir: folder in which the folder of traces is created.
    """
    self._steps = range(steps[0], steps[1] + 1) if steps else range(0)
    self._folder = pathlib.Path(train_dir, PROFILE_FOLDER)

  def wants_trace(self, step: int) -> bool:
    return step in self._steps

  def after_trace(self, step: int, metadata: tf.RunMetadata) -> None:
    self._folder.mkdir(exist_ok=True)
    path = self._folder / f'step-{step}.json'
    files.write_text(path, chrome_trace(metadata))


def chrome_trace(metadata: tf.RunMetadata) -> str:
  """The trace of a step as JSON for Chrome's chrome://tracing and for ui.perfetto.dev.

  Each device is shown as a process, and its threads as threads; times are in microseconds.
  """
  events = []
  for number, device in enumerate(metadata.step_stats.dev_stats):
    events.append(
      {'name': 'process_name', 'ph': 'M', 'pid': number, 'args': {'name': device.device}}
    )
    events += [
      {
        'name': node.timeline_label.partition(' = ')[2].partition('(')[0] or node.node_name,
        'ph': 'X',
        'pid': number,
        'tid': node.thread_id,
        'ts': node.all_start_micros,
        'dur': node.all_end_rel_micros,
        'args': {'operation': node.node_name},
      }
      for node in device.node_stats
    ]
  return json.dumps({'traceEvents': events})
