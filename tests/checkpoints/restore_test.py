import numpy as np

from tests.export.fabricated import make_checkpoint
from tests.testing import graph_session
from vgg_slim.checkpoints import restore, search
from vgg_slim.compat import tf


def test_the_network_is_built_and_restored_from_the_contract_alone(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path,
    model='resnet50@4',
    num_classes=2,
    head='fc256',
    classifier_activation='sigmoid',
    class_names=None,
  )
  assert search.shapes(prefix)['resnet50/logits/weights'] == [1, 1, 256, 1]
  with graph_session() as session:
    network = restore.build_network(contract, tf.zeros([1, 32, 32, 3]))
    restore.restore(session, prefix)
    logits = session.run(network.logits)
    (variable,) = [v for v in tf.global_variables() if v.op.name == 'resnet50/fc6/biases']
    bias = session.run(variable)
  assert logits.shape == (1, 2)
  np.testing.assert_array_equal(bias, tf.train.load_variable(prefix, 'resnet50/fc6/biases'))
