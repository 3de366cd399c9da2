import pathlib
import pwd

import pytest

from vgg_slim.data import manifest
from vgg_slim.data.conversion import default_data
from vgg_slim.errors import ConfigError, DataError


def test_cache_folder_follows_the_environment(monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
  assert default_data.cache_folder() == pathlib.Path('/somewhere/vgg_slim')
  monkeypatch.delenv('XDG_CACHE_HOME')
  monkeypatch.setenv('HOME', '/home/me')
  assert default_data.cache_folder() == pathlib.Path('/home/me/.cache/vgg_slim')


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
  monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
  monkeypatch.delenv('HOME', raising=False)
  monkeypatch.setattr(pwd, 'getpwuid', {}.__getitem__)
  with pytest.raises(ConfigError, match='set HOME or XDG_CACHE_HOME'):
    default_data.cache_folder()


def test_digits_are_converted_once(tmp_path):
  folder = default_data.digits_folder(tmp_path)
  made = manifest.read_manifest(folder)
  assert made.splits['train'].num_examples + made.splits['validation'].num_examples == 1797
  assert (made.num_classes, made.mirror_safe, made.largest_side) == (10, False, 8)
  before = (folder / 'manifest.json').stat().st_mtime_ns
  assert default_data.digits_folder(tmp_path) == folder
  assert (folder / 'manifest.json').stat().st_mtime_ns == before


def test_the_message_names_a_cache_that_cannot_be_written(tmp_path):
  (tmp_path / 'file').write_text('')
  words = 'cannot be written: Not a directory. Set XDG_CACHE_HOME to keep the digits in another'
  with pytest.raises(DataError, match=words):
    default_data.digits_folder(tmp_path / 'file')


def test_a_cache_that_is_a_link_to_nowhere_is_named(tmp_path):
  default_data.digits_path(tmp_path).symlink_to('gone')
  with pytest.raises(DataError, match='is a link to .*/gone, which does not exist'):
    default_data.digits_folder(tmp_path)
