from vgg_slim.compat import scanning


def scan(folder, **files):
  for name, text in files.items():
    (folder / f'{name}.py').write_text(text)
  return scanning.scan(folder / 'script.py', [str(folder)])


def test_names_are_resolved_through_imports(tmp_path):
  found = scan(
    tmp_path,
    script="""import tensorflow as tf
import tensorflow.contrib.slim as slim
import numpy
from tensorflow.contrib.layers import xavier_initializer as xavier
y = tf.nn.relu(slim.conv2d(tf.placeholder(1)))
numpy.int(3)
""",
  )
  assert found.names == {
    name: scanning.Use(str(tmp_path / 'script.py'), line)
    for name, line in {
      'tensorflow': 1,
      'tensorflow.contrib.slim': 2,
      'numpy': 3,
      'tensorflow.contrib.layers.xavier_initializer': 4,
      'tensorflow.nn': 5,
      'tensorflow.nn.relu': 5,
      'tensorflow.contrib.slim.conv2d': 5,
      'tensorflow.placeholder': 5,
      'numpy.int': 6,
    }.items()
  }
  assert str(found.names['numpy.int']) == 'script.py:6'


def test_modules_of_the_user_are_read_too_and_each_once(tmp_path):
  (tmp_path / 'nets').mkdir()
  (tmp_path / 'nets/__init__.py').write_text('')
  (tmp_path / 'nets/vgg.py').write_text('import tensorflow.compat.v1 as tf\nimport nets\n')
  found = scan(tmp_path, script='from nets import vgg\nimport helper, json', helper='import script')
  names = ['script.py', 'nets/__init__.py', 'nets/vgg.py', 'helper.py']
  assert sorted(found.files) == sorted(str(tmp_path / name) for name in names)
  assert found.v1_import == scanning.Use(str(tmp_path / 'nets/vgg.py'), 1)


def test_files_that_are_not_python_3(tmp_path):
  found = scan(tmp_path, script='import helper', helper='\nprint "hello"\n')
  assert [error.lineno for error in found.failures.values()] == [2]
