"""Where the time of chosen steps goes, operation by operation."""

import json
import pathlib

from vgg_slim import files
from vgg_slim.compat import tf
from vgg_slim.training.hooks.base import Hook

PROFILE_FOLDER = 'profile'
FILES = 'step-*.json'  # pattern of their names


class Tracer(Hook):
  """Writes `train_dir/profile/step-N.json` for the steps of a range; they run a little slower."""

  def __init__(self, steps: tuple[int, ...], train_dir: str) -> None:
    """Does nothing yet.

    Args:
      steps: the first and the last to look at, counted from 1; empty for none.
      train_dir: is given the folder.
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
  """The step as JSON for Chrome's chrome://tracing and for ui.perfetto.dev.

  A device is a process, a thread of it a thread; times are in microseconds.
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
