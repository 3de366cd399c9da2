import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.config import OptimizerConfig
from vgg_slim.training.schedules import build_learning_rate


def rates(config, steps, steps_per_epoch):
  with graph_session() as session:
    step = tf.placeholder(tf.int64, [])
    rate = build_learning_rate(config, step, steps_per_epoch)
    return [float(session.run(rate, {step: s})) for s in steps]


def test_exponential_is_a_staircase():
  config = OptimizerConfig(0.1, 'exponential', 0.5, epochs_per_decay=2)
  # 2 epochs of 4.5 steps: the rate halves at steps 9 and 18.
  got = rates(config, [0, 8, 9, 17, 18], steps_per_epoch=4.5)
  assert got == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def test_fixed_stays():
  assert rates(OptimizerConfig(0.1, 'fixed', 0.5), [0, 1000], 1.0) == pytest.approx([0.1, 0.1])
