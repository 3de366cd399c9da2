"""`tf.train.Supervisor` in programs whose threads have eager mode on.

The threads of a Supervisor read the global step and save checkpoints. `with graph.as_default()` in
the main thread does not reach them, so that without `tf.disable_v2_behavior()` they would treat the
global step as an eager tensor ("global_step:0 is out of scope").
"""

import importlib
from typing import Any

_THREADS = ('SVSummaryThread', 'SVStepCounterThread', 'SVTimerCheckpointThread')


def enter_graphs() -> None:
  """Makes the threads of every Supervisor enter the graph of their session."""
  supervisor = importlib.import_module('tensorflow.python.training.supervisor')
  for name in _THREADS:
    getattr(supervisor, name).run = _run_in_graph


def _run_in_graph(thread: Any) -> None:
  coordinator = importlib.import_module('tensorflow.python.training.coordinator')
  with thread._sess.graph.as_default():
    coordinator.LooperThread.run(thread)
