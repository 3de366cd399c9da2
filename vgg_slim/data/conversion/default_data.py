"""The data set that needs no download: scikit-learn's 1,797 handwritten digits."""

import os
import pathlib

from vgg_slim.data import manifest
from vgg_slim.data.conversion import converter
from vgg_slim.data.sources import catalog
from vgg_slim.errors import ConfigError, DataError

_FOLDER = f'digits-v{manifest.FORMAT_VERSION}'


def cache_folder() -> pathlib.Path:
  """Returns `$XDG_CACHE_HOME/vgg_slim`, by default `~/.cache/vgg_slim`.

  Raises:
    ConfigError: the user has no home folder.
  """
  base = os.environ.get('XDG_CACHE_HOME')
  if not base:
    try:
      base = str(pathlib.Path.home() / '.cache')
    except RuntimeError as error:  # a number of a user that has no account, as in containers
      raise ConfigError(
        'There is no home folder to keep data and weights in; set HOME or XDG_CACHE_HOME.'
      ) from error
  return pathlib.Path(base, 'vgg_slim')


def digits_path(cache: pathlib.Path) -> pathlib.Path:
  """Returns the folder in `cache` of the converted digits, whether or not it exists yet."""
  return cache / _FOLDER


def digits_folder(cache: pathlib.Path) -> pathlib.Path:
  """Returns the folder in `cache` of the converted digits; converts them on first use.

  Raises:
    DataError: the folder cannot be written.
  """
  folder = digits_path(cache)
  if not folder.exists():
    source = catalog.open_source('digits', None)
    try:
      converter.convert(source, folder)
    except DataError as error:
      if not folder.exists():  # otherwise another run converted them in the meantime
        raise DataError(
          f'{error} Set XDG_CACHE_HOME to keep the digits in another folder.'
        ) from error
  return folder
