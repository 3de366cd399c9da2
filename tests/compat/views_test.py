import types

import pytest

from vgg_slim.compat import tf, views


def make_module():
  module = types.ModuleType('shapes')
  module.side = 3
  return module


def test_a_view_shows_names_of_the_module_as_they_are_and_more():
  module = make_module()
  view = views.with_names(module, {'sqrt': 'math.sqrt'})
  module.side = 4
  assert (view.side, view.sqrt(9)) == (4, 3)
  assert not hasattr(module, 'sqrt')


def test_a_view_raises_the_error_of_the_module():
  with pytest.raises(AttributeError, match="'shapes' has no attribute 'angle'"):
    views.with_names(make_module(), {}).angle  # noqa: B018


def test_a_name_that_is_set_is_seen_in_the_module_too():
  module = make_module()
  view = views.with_names(module, {'sqrt': 'math.sqrt'})
  view.side = 5
  view.sqrt = len
  assert (module.side, view.side, view.sqrt) == (5, 5, len)


def test_dir_lists_the_names_of_the_module():
  assert 'side' in dir(views.with_names(make_module(), {}))


def test_find_imports_modules_and_reads_attributes():
  assert views.find('xml.dom.minidom.Text').__name__ == 'Text'
  with pytest.raises(AttributeError):
    views.find('xml.dom.minidom.Nothing')
  with pytest.raises(AttributeError, match="no attribute 'nothing'"):
    views.find('nothing.at.all')


def test_find_makes_no_second_copy_of_a_module():
  assert views.find('tensorflow.compat.v1.app') is tf.app
  assert views.find('tensorflow.compat.v1.app.flags') is tf.flags


def test_find_reports_a_module_that_another_module_lacks(tmp_path, monkeypatch):
  (tmp_path / 'needs_other.py').write_text('import other_that_is_missing\n')
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ModuleNotFoundError, match='other_that_is_missing'):
    views.find('needs_other.name')
