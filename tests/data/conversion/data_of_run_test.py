import pytest

from vgg_slim.data.conversion import data_of_run, default_data
from vgg_slim.errors import DataError


def test_a_data_set_that_was_moved_is_named_with_the_way_out(tmp_path):
  (tmp_path / 'data').mkdir()
  assert data_of_run.find(str(tmp_path / 'data'), 'run') == str(tmp_path / 'data')
  message = 'The run in run was trained on .*/moved, which does not exist. Give the .* --data_dir.$'
  with pytest.raises(DataError, match=message):
    data_of_run.find(str(tmp_path / 'moved'), 'run')


def test_digits_that_are_gone_are_created_again(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  digits = default_data.digits_path(default_data.cache_folder())
  monkeypatch.setattr(default_data, 'digits_folder', lambda cache: cache / 'created')
  assert data_of_run.find(str(digits), 'run') == str(digits.parent / 'created')
