from vgg_slim.compat import tf
from vgg_slim.ops.scopes import plain_name


def test_the_name_of_a_variable_is_without_its_replica():
  with tf.Graph().as_default():
    names = ('a/weights', 'a/weights/replica_1', 'a/replica_1/weights')
    variables = [tf.get_variable(name, [1]) for name in names]
    assert [plain_name(v) for v in variables] == ['a/weights', 'a/weights', 'a/replica_1/weights']
