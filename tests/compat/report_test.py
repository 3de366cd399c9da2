import pytest

from vgg_slim.compat import report, scanning

USE = scanning.Use('/folder/train.py', 7)


@pytest.mark.parametrize(
  ('name', 'successor'),
  [
    ('numpy.int', 'int'),
    ('numpy.float_', 'np.float64'),
    ('numpy.lib.pad', 'np.pad'),
    ('numpy.Inf', 'np.inf'),
    ('numpy.asscalar', 'array.item()'),
    ('numpy.expand_dims', None),
    ('numpy.zeros', None),
    ('scipy.misc.imread', 'Pillow or imageio'),
    ('scipy.io.loadmat', None),
    ('tensorflow.placeholder', 'tf.compat.v1.placeholder'),
    ('tensorflow.log', 'tf.math.log'),
    ('tensorflow.nn.relu', None),
    ('tensorflow.contrib.layers.l2_regularizer', 'tf_slim.layers (slim.NAME)'),
    ('tensorflow.python.ops.control_flow_ops.cond', 'tensorflow.python.ops.cond.cond'),
    ('os.path', None),
  ],
)
def test_successors(name, successor):
  assert report.find_successor(name) == successor


def test_what_has_no_successor_is_said():
  found = report.find_successor('tensorflow.contrib.crf.crf_decode')
  assert found.startswith('none: moved to the discontinued TensorFlow Addons')


def test_names_used_while_the_script_runs_are_added():
  recorder = report.Recorder({'tensorflow.log': USE})
  recorder('tensorflow.placeholder')
  assert recorder.names['tensorflow.log'] == USE
  assert recorder.names['tensorflow.placeholder'].path == __file__


def test_rows_show_the_longest_names():
  names = ('tensorflow.contrib.slim', 'tensorflow.contrib.slim.conv2d', 'tensorflow.log')
  rows = report.Recorder(dict.fromkeys((*names, 'numpy.zeros'), USE)).rows()
  assert [row.name for row in rows] == ['tf.contrib.slim.conv2d', 'tf.log']


def test_text():
  rows = [report.Row('tf.log', USE, 'tf.math.log'), report.Row('np.int', USE, 'int')]
  assert report.text(rows).splitlines() == [
    'deprecated  first use   successor',
    'tf.log      train.py:7  tf.math.log',
    'np.int      train.py:7  int',
  ]
  assert report.text([]).startswith('The script used no name')
