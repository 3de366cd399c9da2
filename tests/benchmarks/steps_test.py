import numpy as np
import pytest

from tests.testing import graph_session, make_data_set
from vgg_slim import sessions
from vgg_slim.benchmarks import steps, systems
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf


def build(what, **changes):
  fields = {'model': 'vgg_a@4', 'batch_size': 2, 'image_size': 32, 'num_classes': 3}
  return steps.build_step(Workload(what, **{**fields, 'fc_units': 8, **changes}))


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_forward_gives_probabilities(precision):
  if sessions.computed_precision(precision) != precision:
    pytest.skip('this processor does not compute in bfloat16')
  probabilities = build('forward', precision=precision)()
  assert probabilities.shape == (2, 3)
  # Softmax divides in float32 in either precision.
  np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_nothing_is_timed_as_bfloat16_that_is_computed_in_float32(monkeypatch):
  monkeypatch.setattr(sessions, 'computed_precision', lambda precision: 'float32')
  with pytest.raises(systems.NotMeasuredError, match='no bfloat16 instructions'):
    build('forward', precision='bfloat16')


def test_dense_averages_over_a_larger_image():
  assert build('dense', image_size=256)().shape == (2, 3)


def test_training_changes_the_loss():
  train = build('train_step')
  losses = [train() for _ in range(3)]
  assert len(set(losses)) == 3


def test_no_gradient_is_pruned():
  workload = Workload('forward_backward', 'vgg_a@4', 2, 32, 3, fc_units=8)
  options, metadata = tf.RunOptions(output_partition_graphs=True), tf.RunMetadata()
  with graph_session() as session:
    fetches, _ = steps._build_forward_backward(workload)
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    session.run(fetches, options=options, run_metadata=metadata)
  (graph,) = metadata.partition_graphs
  kinds = [node.op.removeprefix('_MklNative') for node in graph.node]
  # Eight convolutions, of which the first needs no gradient with respect to the images.
  assert kinds.count('Conv2DBackpropInput') == 7


def test_input_and_end_to_end_read_a_data_set(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data')
  assert build('input', data_dir=data_dir, num_classes=2)() is None
  step = build('end_to_end', data_dir=data_dir, num_classes=2)
  cross_entropy, accuracy, _ = step()
  assert cross_entropy > 0
  assert accuracy in (0.0, 0.5, 1.0)
