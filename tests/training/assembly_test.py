import io

import pytest

from tests.testing import graph_session, make_data_set, thin_model, train_config
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.reporting import Reporter
from vgg_slim.training import assembly
from vgg_slim.training.distribution import Distribution
from vgg_slim.training.starts import Start


@pytest.fixture
def data(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  return make_data_set(tmp_path / 'data')  # 18 training images


NEW = Start(None, 0)


def build(data, folder, start=NEW, **run):
  config = train_config(*data, **run)
  reporter = Reporter(io.StringIO())
  return assembly.build_assembly(
    config, data[1], start, str(folder), Distribution(), reporter, None
  )


def test_building_runs_nothing_and_writes_nothing(data, tmp_path):
  with graph_session() as session:
    built = build(data, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()
    assert (built.total_steps, built.follows_validation) == (9, False)
    built.scaffold.finalize()
    session.run([built.scaffold.init_op, built.scaffold.local_init_op])
    assert session.run([built.ops.train_op, built.ops.global_step])[1] in (0, 1)
    assert session.run(built.ops.global_step) == 1


def test_keeping_the_best_checkpoint_needs_validations(data, tmp_path):
  with graph_session():
    assert build(data, tmp_path, keep_best=True).follows_validation


def test_a_checkpoint_of_another_network_is_refused(data, tmp_path):
  with graph_session() as session:
    step = tf.train.get_or_create_global_step()
    session.run(step.initializer)
    prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt-1'))
  with graph_session(), pytest.raises(CheckpointError, match='does not fit the network'):
    build(data, tmp_path, Start(prefix, 1))
