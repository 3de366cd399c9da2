"""Imports of a repository with three small files."""

import pytest

from tests import imports

SOURCES = {
  'requirements_lock.txt': 'absl-py==2.5.1\nScikit-Learn==1.9.1 ; python_version > "3"\n',
  'vgg_slim/__init__.py': '',
  'vgg_slim/nets/__init__.py': '',
  'vgg_slim/nets/table.py': "import os\n\ndef read():\n  import sklearn.svm\n  return 'a row'\n",
  'tests/__init__.py': '',
  'tests/show_test.py': 'from vgg_slim.nets import table\nfrom vgg_slim.nets.table import read\n',
}


@pytest.fixture
def root(tmp_path):
  for path, text in SOURCES.items():
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
  return tmp_path


def test_imports_have_a_line_and_whether_they_are_in_a_function(root):
  table = imports.read_modules(root)['vgg_slim.nets.table']
  assert table.imports == (imports.Import('os', 1, False), imports.Import('sklearn.svm', 4, True))
  assert table.strings == {'a row'}
  assert table.package == 'vgg_slim.nets'


def test_internal_imports_are_the_modules_of_names_and_their_packages(root):
  modules = imports.read_modules(root)
  assert imports.internal_imports(modules['tests.show_test'], modules) == {
    'tests',
    'vgg_slim.nets.table',
  }
  assert imports.internal_imports(modules['vgg_slim.nets'], modules) == {'vgg_slim'}


def test_names_of_locked_packages_are_normalized(root):
  assert imports.read_locked_packages(root) == {'absl_py', 'scikit_learn'}
