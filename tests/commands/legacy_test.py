"""Scripts in the style of TensorFlow 1, each run whole in its own process."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.testing import run_tool
from vgg_slim.commands import legacy

ROOT = pathlib.Path(__file__).parents[2]

SLIM_SCRIPT = """
from __future__ import absolute_import, division, print_function
from tensorflow.contrib import quantize as contrib_quantize
from tensorflow.contrib.layers import xavier_initializer
import tensorflow as tf
import numpy as np
from tensorflow.python.ops import control_flow_ops
from helper import network

slim = tf.contrib.slim
FLAGS = tf.app.flags.FLAGS
tf.app.flags.DEFINE_string('train_dir', None, 'Folder.')
tf.app.flags.DEFINE_integer('steps', 100, 'Number of steps.')
tf.app.flags.DEFINE_boolean('quiet', False, 'A name that tools/legacy has too.')
tf.app.flags.DEFINE_boolean('report', False, 'Another one.')
tf.app.flags.DEFINE_integer('quantize_delay', -1, 'Quantized training.')


def main(_):
  tf.logging.set_verbosity(tf.logging.INFO)
  with tf.Graph().as_default():
    step = slim.get_or_create_global_step()
    queue = tf.train.string_input_producer(['1', '2', '3'], shuffle=False)
    number = tf.string_to_number(queue.dequeue())
    numbers = tf.train.batch([tf.fill([8, 8, 1], number)], batch_size=2)
    logits = network(numbers)
    assert logits.get_shape()[1].value == 3 and not FLAGS.quiet
    slim.losses.softmax_cross_entropy(logits, tf.one_hot([0, 1], 3))
    if FLAGS.quantize_delay >= 0:
      contrib_quantize.create_training_graph(quant_delay=FLAGS.quantize_delay)
    loss = control_flow_ops.cond(step >= 0, slim.losses.get_total_loss, lambda: 0.0)
    train = slim.learning.create_train_op(loss, tf.train.AdamOptimizer(), clip_gradient_norm=4)
    slim.learning.train(train, FLAGS.train_dir, number_of_steps=FLAGS.steps, log_every_n_steps=1)
  print('steps', slim.get_global_step is not None, np.int(FLAGS.steps))


if __name__ == '__main__':
  tf.app.run()
"""
HELPER = """
import tensorflow as tf
slim = tf.contrib.slim


@slim.add_arg_scope
def network(images, classes=3):
  with slim.arg_scope([slim.conv2d], normalizer_fn=slim.batch_norm):
    net = slim.conv2d(images, 4, [3, 3], weights_initializer=tf.contrib.layers.xavier_initializer())
  net = tf.layers.dropout(tf.layers.flatten(net), training=True)
  return tf.layers.dense(net, classes)
"""
PYTHON2_SCRIPT = """
import cPickle
import scipy.misc
import numpy as np
import tensorflow as tf
import helper

weights = np.load('weights.npy', encoding='latin1').item()
image = scipy.misc.imread('image.png')
x = tf.placeholder(tf.float32, [None, 8 / 2, 4, 3])
y = tf.nn.conv2d(x, weights['conv1'][0], [1, 1, 1, 1], 'SAME', name='w')
sess = tf.Session()
print 'shape', sess.run(y, {x: image[None]}).shape, helper.half(5), 'xrange' in dir(helper)
"""
INSTALLED_SCRIPT = """import tensorflow as tf
from tensorflow.contrib import slim
print(slim.conv2d(tf.placeholder(tf.float32, [1, 4, 4, 1]), 2, 3).get_shape()[3].value)
"""


def run(folder, *arguments):
  """Runs Python in `folder`; returns (exit code, stdout, stderr)."""
  done = subprocess.run(
    [sys.executable, *arguments],
    cwd=folder,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  return done.returncode, done.stdout, done.stderr


def test_a_slim_script_trains(tmp_path):
  (tmp_path / 'train.py').write_text(SLIM_SCRIPT)
  (tmp_path / 'helper.py').write_text(HELPER)
  code, out, err = run(
    *(tmp_path, '-m', 'vgg_slim.commands.legacy', '--report', 'train.py'),
    *(f'--train_dir={tmp_path}/run', '--steps=3'),
  )
  assert code == 0, err
  assert out == 'steps True 3\n'
  assert (tmp_path / 'run/model.ckpt-3.index').is_file()
  summary = err.splitlines()[0]
  assert summary.startswith("legacy: TensorFlow 1's behavior (train.py:3 uses tf.contrib.quantize)")
  assert 'tf.contrib.{layers,quantize,slim} from tf_slim' in summary
  assert 'tf.layers and tf.keras from tf_keras; np.int;' in summary
  assert 'no successor, an error when used: tf.contrib.quantize' in summary
  assert 'global step 3: loss = ' in err
  rows = [line.split()[:2] for line in err.splitlines()]
  assert ['tf.string_to_number', 'train.py:24'] in rows
  assert ['tf.contrib.slim.arg_scope', 'helper.py:8'] in rows
  assert 'Traceback' not in err


def test_a_python2_script_with_pickled_weights_and_scipy_misc(tmp_path):
  pytest.importorskip('lib2to3', reason='Python 3.13 has no lib2to3')
  image = pytest.importorskip('PIL.Image')
  (tmp_path / 'old.py').write_text(PYTHON2_SCRIPT)
  (tmp_path / 'helper.py').write_text('def half(x):\n  print "half of", x\n  return x / 2\n')
  np.save(tmp_path / 'weights.npy', {'conv1': [np.ones([1, 1, 3, 5], np.float32)]})
  image.new('RGB', (4, 4)).save(tmp_path / 'image.png')
  options = ('--python2', '--scipy_misc', '--allow_pickle')
  code, out, err = run(tmp_path, '-m', 'vgg_slim.commands.legacy', *options, 'old.py')
  assert code == 0, err
  assert out == 'half of 5\nshape (1, 4, 4, 5) 2 False\n'


def test_install_in_a_program_as_the_page_says(tmp_path):
  page = (ROOT / 'docs/how-to/legacy.md').read_text(encoding='utf-8')
  first_lines = re.search('^```python\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)[1]
  (tmp_path / 'program.py').write_text(first_lines + INSTALLED_SCRIPT)
  code, out, err = run(tmp_path, 'program.py')
  assert (code, out) == (0, '2\n'), err
  assert "vgg_slim: TensorFlow 1's behavior (program.py:5 uses tf.contrib.slim)" in err


def test_errors_of_a_script_are_shown_from_its_own_first_line(tmp_path):
  (tmp_path / 'wrong.py').write_text('import tensorflow as tf\ntf.contrib.crf.crf_decode(1)\n')
  code, out, err = run(tmp_path, '-m', 'vgg_slim.commands.legacy', '--quiet', 'wrong.py')
  assert (code, out) == (1, '')
  lines = err.splitlines()
  assert lines[0] == 'Traceback (most recent call last):'
  assert lines[1].endswith('wrong.py", line 2, in <module>')
  assert lines[-1].endswith(
    'tf.contrib.crf.crf_decode is not in TensorFlow 2.21: moved to the '
    'discontinued TensorFlow Addons, whose tfa.text.crf can be copied.'
  )


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], 'Give a script'),
    (['--', 'nowhere.py'], 'There is no file nowhere.py'),
    (['--', str(ROOT / 'tests')], 'There is no file'),
  ],
)
def test_mistakes(capsys, arguments, message):
  assert run_tool(legacy, *arguments, takes_command=True) == 2
  assert message in capsys.readouterr().err


@pytest.mark.parametrize(
  ('typed', 'split'),
  [
    ('--report train.py --report -- x', '--report -- train.py --report -- x'),
    ('train.py', '-- train.py'),
    ('--report', '--report --'),
    ('-- train.py -- x', '-- train.py -- x'),
  ],
)
def test_flags_after_the_script_belong_to_it(typed, split):
  assert legacy._with_dashes(['legacy', *typed.split()]) == ['legacy', *split.split()]
