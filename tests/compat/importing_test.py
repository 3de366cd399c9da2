import builtins
import importlib.util
import json
import pathlib
import types

import numpy as np
import pytest

from vgg_slim.compat import importing


@pytest.fixture
def math_view(monkeypatch):
  """Files of users see another `math`, until the end of the test."""
  monkeypatch.setattr(builtins, '__import__', builtins.__import__)
  view = types.SimpleNamespace(pi=3, e=2, __name__='math')
  importing.replace_imports({'math': lambda name: view})
  return view


def test_files_of_the_user_import_the_view(math_view):
  namespace = {'__file__': __file__}
  exec('import math; from math import pi; import math as m', namespace)
  assert (namespace['math'], namespace['pi'], namespace['m']) == (math_view, 3, math_view)


def test_other_files_import_the_module(math_view):
  namespace = {'__file__': json.__file__}
  exec('import math', namespace)
  assert namespace['math'] is not math_view


def test_other_packages_are_imported_as_ever(math_view):
  namespace = {'__file__': __file__}
  exec('import xml.dom; from os import path; import json', namespace)
  assert namespace['xml'].dom and namespace['path'] and namespace['json'] is json


def test_a_missing_name_keeps_its_message(math_view):
  with pytest.raises(ImportError, match="'tau' from 'math'.*no attribute 'tau'"):
    exec('from math import tau', {'__file__': __file__})


def test_files_of_the_user():
  assert importing.is_script_file(__file__)
  for module in (json, np, importing):
    assert not importing.is_script_file(module.__file__)
  assert importing.is_script({'__name__': '__main__'})  # a notebook has no file
  assert not importing.is_script({'__name__': 'other'})


def test_own_files_behind_a_link_are_not_of_the_user(tmp_path):
  linked = tmp_path / 'vgg_slim'
  linked.symlink_to(pathlib.Path(importing.__file__).resolve().parents[1])
  spec = importlib.util.spec_from_file_location('linked', linked / 'compat/importing.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  assert not module.is_script_file(str(linked / 'compat/facade.py'))


def test_folders_of_the_user(monkeypatch, tmp_path):
  monkeypatch.setattr('sys.path', [str(tmp_path), str(pathlib.Path(np.__file__).parents[1])])
  first = tmp_path / 'first'
  assert importing.script_folders(str(first)) == [str(first), str(tmp_path)]
