import math

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training.host_state import HostState


def test_numbers_come_back_from_a_checkpoint_bit_for_bit(tmp_path):
  written = {'best': -math.inf, 'sum': 1 / 3, 'count': 2**53 - 1}
  with graph_session() as session:
    state = HostState('run', best=0.0, sum=0.0, count=0)
    session.run(tf.global_variables_initializer())
    state.update(**written)
    state.write(session)
    path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  with graph_session() as session:
    state = HostState('run', best=0.0, sum=0.0, count=0)
    tf.train.Saver().restore(session, path)
    state.read(session)
    assert {name: state[name] for name in written} == written
    assert [v.op.name for v in tf.global_variables()] == ['host_state/run']
    assert not tf.trainable_variables()
