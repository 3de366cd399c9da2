import json

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training.hooks.tracing import Tracer


def test_the_steps_of_the_range_are_written_with_their_operations(tmp_path):
  hook = Tracer((2, 3), str(tmp_path))
  assert [step for step in range(6) if hook.wants_trace(step)] == [2, 3]
  with graph_session() as session:
    x = tf.random.normal([300, 300], name='x')
    product = tf.matmul(x, x, name='product')
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    session.run(product, options=options, run_metadata=metadata)
  hook.after_trace(2, metadata)
  (path,) = (tmp_path / 'profile').iterdir()
  assert path.name == 'step-2.json'
  events = json.loads(path.read_text())['traceEvents']
  (event,) = (e for e in events if e['ph'] == 'X' and e['args']['operation'] == 'product')
  assert event['dur'] > 0
  assert event['name'].endswith('MatMul')  # _MklMatMul with oneDNN
  devices = {e['pid']: e['args']['name'] for e in events if e['ph'] == 'M'}
  assert 'CPU:0' in devices[event['pid']]


def test_without_a_range_no_step_is_traced():
  assert not any(Tracer((), 'x').wants_trace(step) for step in range(100))
