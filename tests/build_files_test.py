"""The derivation of BUILD files, on a repository of four small files."""

import textwrap

import pytest

from tests import build_files

SOURCES = {
  'requirements_lock.txt': 'absl-py==2.5.1\nscikit-learn==1.9.1 ; python_version > "3"\n',
  'vgg_slim/__init__.py': '',
  'vgg_slim/nets/__init__.py': '',
  'vgg_slim/nets/table.py': 'import os\n\ndef read():\n  import sklearn\n  import torch\n',
  'tools/__init__.py': '',
  'tools/show.py': """\
    from absl import flags
    from vgg_slim.nets import table
    if __name__ == '__main__':
      print(flags, table)
    """,
  'tests/__init__.py': '',
  'tests/show_test.py': "COMMAND = ['-m', 'tools.show', '--flagfile=recipes/small.flags']\n",
}


@pytest.fixture
def repository(tmp_path):
  for path, text in SOURCES.items():
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
  return tmp_path


def _target(text, name):
  return next(block for block in text.split('\n\n') if f'    name = "{name}",' in block).strip()


def test_a_library_depends_on_its_package_and_on_what_its_functions_import(repository):
  text = build_files.build_files(repository)['vgg_slim/nets/BUILD']
  assert _target(text, 'table') == textwrap.dedent("""\
    py_library(
        name = "table",
        srcs = ["table.py"],
        deps = [
            ":nets",
            "@pip_deps//scikit_learn",
        ],
    )""")


def test_a_module_that_runs_is_a_binary(repository):
  text = build_files.build_files(repository)['tools/BUILD']
  assert _target(text, 'show') == textwrap.dedent("""\
    py_binary(
        name = "show",
        srcs = ["show.py"],
        deps = [
            ":tools",
            "//vgg_slim/nets:table",
            "@pip_deps//absl_py",
        ],
    )""")


def test_a_test_gets_the_program_and_the_files_it_names(repository):
  text = build_files.build_files(repository)['tests/BUILD']
  assert _target(text, 'show_test') == textwrap.dedent("""\
    pytest_test(
        name = "show_test",
        srcs = ["show_test.py"],
        data = ["//:recipes"],
        deps = [
            ":tests",
            "//tools:show",
        ],
    )""")


def test_an_import_that_nothing_provides_is_named(repository):
  (repository / 'tools/show.py').write_text('import numpy\n')
  with pytest.raises(ValueError, match=r'tools/show.py:1: .* no package for .numpy.'):
    build_files.build_files(repository)


def test_a_second_run_writes_nothing(repository):
  assert build_files.write_build_files(repository)
  assert build_files.write_build_files(repository) == []
