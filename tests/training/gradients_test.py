import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training import gradients


def test_gradients_of_micro_batches_add_up():
  with graph_session() as session:
    a, b = (tf.get_variable(name, [2]) for name in 'ab')
    micro_batches = [
      [(tf.constant([1.0, 2.0]), a), (None, b)],
      [(tf.constant([3.0, -2.0]), a), (None, b)],
    ]
    (total, variable), (nothing, _) = gradients.add(*micro_batches)
    assert variable is a
    assert nothing is None
    np.testing.assert_array_equal(session.run(total), [4, 0])


def test_decay_is_added_to_the_gradients_of_the_named_variables():
  with graph_session() as session:
    a, b, c, d = (tf.get_variable(name, initializer=[2.0, -4.0]) for name in 'abcd')
    pairs = [(tf.constant([1.0, 1.0]), a), (tf.constant([1.0, 1.0]), b), (None, c), (None, d)]
    decayed = gradients.add_decay(pairs, 0.5, {'a', 'c'})
    assert [variable for _, variable in decayed] == [a, b, c, d]
    assert decayed[3][0] is None
    session.run(tf.global_variables_initializer())
    got = session.run([gradient for gradient, _ in decayed[:3]])
    np.testing.assert_array_equal(got, [[2, -1], [1, 1], [1, -2]])


def test_where_the_update_decays_a_missing_gradient_is_zero():
  with graph_session() as session:
    a, b, c = (tf.get_variable(name, initializer=[2.0]) for name in 'abc')
    gradient = tf.constant([3.0])
    decayed = gradients.add_decay([(gradient, a), (None, b), (None, c)], 0.0, {'a', 'b'})
    assert (decayed[0][0], decayed[2][0]) == (gradient, None)
    assert session.run(decayed[1][0]) == [0]


def test_clipping_scales_all_gradients_by_one_factor():
  with graph_session() as session:
    a, b, c = (tf.get_variable(name, [1]) for name in 'abc')
    pairs = [(tf.constant([3.0]), a), (tf.constant([4.0]), b), (None, c)]  # norm 5
    clipped = gradients.clip(pairs, 2.5)
    assert [variable for _, variable in clipped] == [a, b, c]
    assert clipped[2][0] is None
    np.testing.assert_allclose(session.run([g for g, _ in clipped[:2]]), [[1.5], [2.0]], rtol=1e-6)
    unclipped = gradients.clip(pairs, 6.0)
    np.testing.assert_array_equal(session.run([g for g, _ in unclipped[:2]]), [[3.0], [4.0]])
