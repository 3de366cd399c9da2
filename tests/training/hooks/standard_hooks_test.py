import io

import pytest

from tests.testing import graph_session, thin_model, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.reporting import Reporter
from vgg_slim.training import graph
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.hooks import recorder, standard_hooks


def build(**run):
  config = train_config('data', a_manifest(), **run)
  ops = graph.build_train_graph(
    config, tf.zeros([4, 32, 32, 3]), tf.zeros([4], tf.int32), steps_per_epoch=1.0
  )
  epochs = Epochs(num_examples=16, batch_size=4)
  return standard_hooks.build_hooks(config, ops, 'run', epochs, 8, Reporter(io.StringIO()), None)


@pytest.fixture(autouse=True)
def thin_graph(monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  with graph_session():
    yield


def names(hooks):
  return [type(hook).__name__ for hook in hooks]


OTHERS = ['Tracer', 'Plateau', 'KeepBest', 'EarlyStopping']


def test_alarms_come_first_and_the_recorder_last():
  hooks = build()
  alarms = ['StuckLoss', 'DeadUnits', 'StaleStatistics', 'OneAnswer']
  assert names(hooks) == [*alarms, *OTHERS, 'Recorder']
  assert not any(hook.needs_validation for hook in hooks)


def test_hooks_that_flags_switch_on_and_off():
  hooks = build(alarm_steps=0, keep_best=True, early_stop_patience=3)
  assert names(hooks) == [*OTHERS, 'Recorder']
  assert [hook.needs_validation for hook in hooks] == [False, False, True, True, False]


@pytest.mark.parametrize(
  ('run', 'every'),
  [({'image_summary_every_steps': 5}, [5, 5]), ({'histogram_every_steps': 7}, [7])],
)
def test_periodic_summaries_and_the_graph_for_tensorboard(monkeypatch, run, every):
  given = {}

  class Spy(recorder.Recorder):
    def __init__(self, config, epochs, train_dir, total_steps, periodic, graph_def, *rest):
      given.update(periodic=periodic, graph_def=tf.GraphDef.FromString(graph_def))
      super().__init__(config, epochs, train_dir, total_steps, periodic, graph_def, *rest)

  monkeypatch.setattr(recorder, 'Recorder', Spy)
  build(**{'image_summary_every_steps': 0, **run})
  assert [one.every_steps for one in given['periodic'] if one.every_steps] == every
  # The graph holds the network, but neither the drawn filters nor the counters of the hooks.
  nodes = {node.name for node in given['graph_def'].node}
  assert 'vgg_a/fc8/weights' in nodes
  assert not any(name.startswith(('filters', 'best', 'epoch', 'save')) for name in nodes)
