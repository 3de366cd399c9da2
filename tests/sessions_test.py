import os
import subprocess
import sys

import numpy as np
import pytest

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.errors import ConfigError


def test_threads_belong_to_the_process_and_xla_to_the_session(monkeypatch):
  # TensorFlow itself refuses once another test in this process has started it;
  # tests/integration/threads_test.py counts threads in separate processes.
  values = [0]
  threading = tf.config.threading
  monkeypatch.setattr(threading, 'get_intra_op_parallelism_threads', lambda: values[-1])
  monkeypatch.setattr(threading, 'set_intra_op_parallelism_threads', values.append)
  sessions.configure(RuntimeConfig(num_threads=3, gpus='none'))
  proto = sessions.session_config(RuntimeConfig(xla=True, num_threads=5))
  assert values == [0, 3]
  assert proto.intra_op_parallelism_threads == 3
  assert proto.device_count['GPU'] == 0
  assert proto.graph_options.optimizer_options.global_jit_level == 1


class FourGpus:
  """Replaces the device functions of TensorFlow by those of a machine with four GPUs."""

  def __init__(self, monkeypatch):
    self.gpus = [f'gpu {number}' for number in range(4)]
    self.visible, self.grows = list(self.gpus), dict.fromkeys(self.gpus, False)
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: self.gpus)
    monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: self.visible)
    monkeypatch.setattr(
      tf.config, 'set_visible_devices', lambda chosen, kind: setattr(self, 'visible', chosen)
    )
    monkeypatch.setattr(tf.config.experimental, 'set_memory_growth', self.grows.__setitem__)
    monkeypatch.setattr(tf.config.experimental, 'get_memory_growth', self.grows.__getitem__)


@pytest.mark.parametrize(
  ('gpus', 'growth', 'numbers', 'count'),
  [(None, False, '', 4), (None, True, '', 4), ('1,3', True, '1,3', 2), ('none', False, '', 0)],
)
def test_the_chosen_gpus_are_visible(monkeypatch, gpus, growth, numbers, count):
  FourGpus(monkeypatch)
  sessions.configure(RuntimeConfig(gpus=gpus, gpu_memory_growth=growth))
  proto = sessions.session_config()
  assert proto.gpu_options.visible_device_list == numbers
  assert proto.gpu_options.allow_growth == growth
  assert sessions.num_gpus() == count
  assert ('GPU' in proto.device_count) == (count == 0)


@pytest.mark.parametrize(
  ('flags', 'computed', 'fast'),
  [
    ({'avx', 'avx2'}, 'float32', 'float32'),
    ({'avx512f'}, 'bfloat16', 'float32'),  # imitated by oneDNN
    ({'avx512f', 'avx512_bf16'}, 'bfloat16', 'bfloat16'),
    ({'avx512f', 'amx_bf16'}, 'bfloat16', 'bfloat16'),
    (None, 'bfloat16', 'float32'),  # a system that does not tell
  ],
)
def test_the_precision_depends_on_the_processor(monkeypatch, flags, computed, fast):
  monkeypatch.setattr(sessions.processor, 'flags', lambda *_: flags)
  monkeypatch.setattr(sessions, 'num_gpus', lambda: 0)
  assert sessions.computed_precision('float32') == 'float32'
  assert sessions.computed_precision('bfloat16') == computed
  assert sessions.computed_precision('float16') == 'float32'
  assert sessions.fast_precision() == fast
  with pytest.raises(ConfigError, match='precision=float16 needs a GPU'):
    sessions.check_precision('float16')
  sessions.check_precision('bfloat16')
  monkeypatch.setattr(sessions, 'num_gpus', lambda: 1)
  assert sessions.computed_precision('float16') == 'float16'
  assert sessions.fast_precision() == 'float32'
  sessions.check_precision('float16')


# Prints the types of the convolutions in a graph as TensorFlow runs it, and what was promised.
CONVOLUTIONS = """
import numpy as np
from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig

with tf.Graph().as_default() as graph:
  images = tf.placeholder(tf.float32, [4, 8, 8, 16])
  net = images
  for i in range(4):
    kernel = tf.get_variable(f'kernel_{i}', [3, 3, 16, 16])
    net = tf.nn.relu(tf.nn.conv2d(net, kernel, strides=1, padding='SAME'))
  update = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(net))
  with sessions.open_session(graph, RuntimeConfig('bfloat16')) as session:
    session.run(tf.global_variables_initializer())
    metadata = tf.RunMetadata()
    options = tf.RunOptions(output_partition_graphs=True)
    session.run(update, {images: np.ones([4, 8, 8, 16])}, options, metadata)
print(sessions.computed_precision('bfloat16'), *{
  tf.as_dtype(node.attr['T'].type).name
  for part in metadata.partition_graphs
  for node in part.node
  if 'Conv2D' in node.op
})
"""


@pytest.mark.parametrize('onednn', ['0', '1', None])  # the commands set 1
def test_this_processor_computes_what_is_said(onednn):
  environment = {name: v for name, v in os.environ.items() if name != 'TF_ENABLE_ONEDNN_OPTS'}
  done = subprocess.run(
    [sys.executable, '-c', CONVOLUTIONS],
    env={**environment, **({'TF_ENABLE_ONEDNN_OPTS': onednn} if onednn else {})},
    capture_output=True,
    text=True,
    check=True,
    timeout=300,
  )
  promised, *types = done.stdout.split()
  if onednn == '0':  # nothing but oneDNN has an interest in bfloat16
    promised = 'float32'
  assert types == [promised]


def test_an_error_names_missing_gpus(monkeypatch):
  FourGpus(monkeypatch)
  with pytest.raises(ConfigError, match=r'gpus=0,4,7: TensorFlow finds 4 .* there is no 4, 7\.'):
    sessions.configure(RuntimeConfig(gpus='0,4,7'))


def test_other_threads_are_refused_once_tensorflow_has_started(monkeypatch):
  def refuse(number):
    raise RuntimeError('cannot be modified after initialization')

  monkeypatch.setattr(tf.config.threading, 'set_intra_op_parallelism_threads', refuse)
  with pytest.raises(ConfigError, match='num_threads, gpus, .*cannot be modified'):
    sessions.configure(RuntimeConfig(num_threads=3))
  sessions.configure(RuntimeConfig())  # the value that it has started with


@pytest.mark.parametrize('precision', ['float32', 'bfloat16', 'float16'])
def test_the_rewriter_of_the_precision_is_on(monkeypatch, precision):
  monkeypatch.setattr(sessions, 'computed_precision', lambda wanted: wanted)
  proto = sessions.session_config(RuntimeConfig(precision=precision))
  rewriters = proto.graph_options.rewrite_options
  assert rewriters.auto_mixed_precision_onednn_bfloat16 == (precision == 'bfloat16')
  assert rewriters.auto_mixed_precision == (precision == 'float16')


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
def test_no_rewriter_is_on_where_nothing_computes_in_the_precision(monkeypatch, precision):
  monkeypatch.setattr(sessions, 'computed_precision', lambda wanted: 'float32')
  rewriters = sessions.session_config(RuntimeConfig(precision)).graph_options.rewrite_options
  assert not rewriters.auto_mixed_precision_onednn_bfloat16
  assert not rewriters.auto_mixed_precision


def test_bfloat16_rounds_products_without_changing_the_graph():
  rng = np.random.default_rng(0)
  images = rng.normal(size=[8, 16, 16, 16]).astype(np.float32)
  kernel = rng.normal(size=[3, 3, 16, 16]).astype(np.float32)
  results = {}
  for precision in ('float32', 'bfloat16'):
    with (
      tf.Graph().as_default(),
      sessions.open_session(runtime=RuntimeConfig(precision=precision)) as session,
    ):
      fed = tf.placeholder(tf.float32, images.shape)
      net = tf.nn.conv2d(fed, tf.get_variable('kernel', initializer=kernel), 1, 'SAME')
      session.run(tf.global_variables_initializer())
      results[precision] = session.run(tf.nn.relu(net), {fed: images})
      assert results[precision].dtype == np.float32
  expected = results['float32']
  error = np.abs(results['bfloat16'] - expected).max() / np.abs(expected).max()
  # bfloat16 keeps 8 bits: 1/256 of each factor; the rounding errors of 144 products mostly cancel.
  assert error < 1 / 64
