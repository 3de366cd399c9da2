import numpy as np
import pytest

from tests.testing import graph_session, make_data_set, train_config
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.scoring_graph import ScoringGraph
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference

VIEWS = ('dense', 'ten_crop')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """(config of a run, its shards, a checkpoint of random weights) of 8 images of 40 px."""
  folder = tmp_path_factory.mktemp('graph')
  data_dir, manifest = make_data_set(folder / 'data', per_class=4, side=40, validation_fraction=0)
  config = train_config(data_dir, manifest)
  with graph_session() as session:
    registry.build_from_config(config.net, tf.zeros([1, 32, 32, 3]), Inference())
    session.run(tf.global_variables_initializer())
    checkpoint = tf.train.Saver().save(session, str(folder / 'model.ckpt'))
  return config, manifests.shard_paths(data_dir, manifest, 'train'), checkpoint


def score(graph, view):
  batches = list(graph.batches(view, 40))
  return [np.concatenate(column) for column in zip(*batches, strict=True)]


def test_order_and_labels_do_not_depend_on_the_precision(made):
  config, paths, checkpoint = made
  request = EvalConfig((40,), VIEWS, split='train', batch_size=3)
  graphs = [ScoringGraph(config, request, p, paths, 8) for p in ('float32', 'bfloat16')]
  for graph in graphs:
    graph.restore(checkpoint)
  for view, count in (('dense', 8), ('ten_crop', 40)):
    exact, fast = (score(graph, view) for graph in graphs)
    assert len(exact[0]) == count
    np.testing.assert_array_equal(exact[0], fast[0])
    np.testing.assert_array_equal(exact[2], fast[2])
    assert 0 < np.abs(exact[1] - fast[1]).max() < 0.05
  for graph in graphs:
    graph.close()


def test_a_closed_graph_can_be_restored_again(made):
  config, paths, checkpoint = made
  graph = ScoringGraph(config, EvalConfig((40,), split='train'), 'float32', paths, 8)
  graph.restore(checkpoint)
  before = score(graph, 'dense')
  graph.close()
  graph.close()
  graph.restore(checkpoint)
  np.testing.assert_array_equal(score(graph, 'dense')[1], before[1])
  graph.close()
