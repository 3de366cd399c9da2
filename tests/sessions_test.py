import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.sessions import session_config


def test_flags_reach_the_proto():
  proto = session_config(RuntimeConfig(xla=True, num_threads=3, gpus='1,2', gpu_memory_growth=True))
  assert proto.intra_op_parallelism_threads == 3
  assert proto.gpu_options.visible_device_list == '1,2'
  assert proto.gpu_options.allow_growth
  assert proto.graph_options.optimizer_options.global_jit_level == 1
  assert session_config(RuntimeConfig(gpus='none')).device_count['GPU'] == 0


@pytest.mark.parametrize('precision', ['float32', 'bfloat16', 'float16'])
def test_one_rewriter_is_on(precision):
  rewriters = session_config(RuntimeConfig(precision=precision)).graph_options.rewrite_options
  assert rewriters.auto_mixed_precision_onednn_bfloat16 == (precision == 'bfloat16')
  assert rewriters.auto_mixed_precision == (precision == 'float16')


def test_bfloat16_rounds_products_and_leaves_the_graph_alone():
  rng = np.random.default_rng(0)
  images = rng.normal(size=[8, 16, 16, 16]).astype(np.float32)
  kernel = rng.normal(size=[3, 3, 16, 16]).astype(np.float32)
  found = {}
  for precision in ('float32', 'bfloat16'):
    with (
      tf.Graph().as_default(),
      tf.Session(config=session_config(RuntimeConfig(precision=precision))) as session,
    ):
      fed = tf.placeholder(tf.float32, images.shape)
      net = tf.nn.conv2d(fed, tf.get_variable('kernel', initializer=kernel), 1, 'SAME')
      session.run(tf.global_variables_initializer())
      found[precision] = session.run(tf.nn.relu(net), {fed: images})
      assert found[precision].dtype == np.float32
  error = np.abs(found['bfloat16'] - found['float32']).max() / np.abs(found['float32']).max()
  # bfloat16 keeps 8 bits: a 256th of each factor, and roundings of 144 products that mostly cancel.
  assert error < 1 / 64
