import pytest

from benchmarks import slim_net
from tests.benchmarks.peers import CLASSES, MODELS, load, totals
from vgg_slim.compat import slim, tf


@pytest.mark.parametrize('model', MODELS)
def test_number_of_parameters_and_output_shape_match_ours(model):
  with tf.Graph().as_default():
    logits = slim_net.build_logits(load(model), tf.zeros([2, 64, 64, 3]), is_training=True)
    count = sum(v.shape.num_elements() for v in slim.get_model_variables())
  assert logits.shape == (2, CLASSES)
  # slim omits biases that batch norm cancels; Keras's ResNet50 has them.
  cancelled = sum(row.channels for row in load(model).layers() if row.biases and row.batch_norm)
  assert count == totals(model).parameters - cancelled


@pytest.mark.parametrize('what', ['forward', 'forward_backward', 'train_step'])
def test_steps_run(what):
  result = slim_net.build_step(load('vgg_a@4', what))()
  assert (what == 'forward') == hasattr(result, 'shape')
