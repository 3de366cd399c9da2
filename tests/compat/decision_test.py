import pytest

from vgg_slim.compat import decision, scanning


@pytest.mark.parametrize(
  ('text', 'graph_mode', 'reason'),
  [
    ('tf.nn.relu; tf.placeholder(1)', True, 'uses tf.placeholder'),
    ('FLAGS = tf.app.flags.FLAGS', True, 'uses tf.app.flags.FLAGS'),
    ('slim = tf.contrib.slim', True, 'uses tf.contrib'),
    ('tf.train.AdamOptimizer(1)', True, 'uses tf.train.AdamOptimizer'),
    ('tf.compat.v1.placeholder(1)', False, 'no name that only TensorFlow 1 has'),
    ('tf.compat.v1.disable_eager_execution(); tf.Session()', False, 'disable_eager_execution'),
    ('tf.enable_eager_execution(); tf.Session()', False, 'calls tf.enable_eager_execution'),
    ('tf.GradientTape()', False, 'uses tf.GradientTape'),
    ('tf.nothing(1)', False, 'no name that only TensorFlow 1 has'),
  ],
)
def test_plain_imports(tmp_path, text, graph_mode, reason):
  decided = decide(tmp_path, f'import tensorflow as tf; {text}')
  assert decided.graph_mode == graph_mode
  assert reason in decided.reason


@pytest.mark.parametrize(
  ('text', 'graph_mode'), [('tf.Session()', True), ('tf.GradientTape()', False)]
)
def test_imports_of_compat_v1(tmp_path, text, graph_mode):
  decided = decide(tmp_path, f'import tensorflow.compat.v1 as tf; {text}')
  assert decided.graph_mode == graph_mode


def decide(folder, text):
  script = folder / 'script.py'
  script.write_text(text)
  return decision.decide(scanning.scan(script, []))
