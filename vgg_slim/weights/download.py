"""Finds published files on this machine, or downloads them. No TensorFlow."""

import logging
import os
import pathlib
from collections.abc import Callable, Iterator

import pooch
from pooch.hashes import file_hash

from vgg_slim import files, locks
from vgg_slim.errors import CheckpointError
from vgg_slim.weights.published import PublishedFile

ReportFn = Callable[[int, int], None]

_SECONDS_WITHOUT_DATA = 60
_CHUNK_BYTES = 2**20
_LONGEST_REASON = 160  # characters of a message of requests

_logger = logging.getLogger(__name__)


def find(file: PublishedFile, folder: pathlib.Path) -> pathlib.Path | None:
  """Returns the path of an intact copy: in `folder`, or in the cache of Keras or torch; else None.

  Raises:
    CheckpointError: `folder` holds another file under this name.
  """
  own = folder / file.file
  if own.is_file():
    problem = find_mismatch(own, file.checksum)
    if problem:
      raise CheckpointError(f'{own} {problem}. Delete it, and give the same command again.')
    return own
  for path in _cached(file):
    if path.is_file():
      problem = find_mismatch(path, file.checksum)
      if not problem:
        return path
      _logger.warning('%s %s; it is not used.', path, problem)
  return None


def find_copy(file: PublishedFile, folder: pathlib.Path) -> pathlib.Path | None:
  """Returns the path of a file of this name in the places that `find` searches, unverified."""
  return next(filter(pathlib.Path.is_file, [folder / file.file, *_cached(file)]), None)


def _cached(file: PublishedFile) -> Iterator[pathlib.Path]:
  home, environ = pathlib.Path(os.path.expanduser('~')), os.environ  # '~' for users without home
  if file.publisher.framework == 'keras':
    yield pathlib.Path(environ.get('KERAS_HOME', home / '.keras'), 'models', file.file)
  if file.publisher.framework == 'torch':
    cache = pathlib.Path(environ.get('XDG_CACHE_HOME', home / '.cache'))
    torch = pathlib.Path(environ.get('TORCH_HOME', cache / 'torch'))
    yield torch / 'hub' / 'checkpoints' / file.file


def find_mismatch(path: pathlib.Path, checksum: str | None) -> str | None:
  """Returns the reason why a file is not the published one; None if it is, or cannot be checked."""
  if checksum is None:
    return None
  algorithm, _, expected = checksum.partition(':')
  actual = file_hash(str(path), algorithm)[: len(expected)]
  if actual == expected:
    return None
  return (
    f'is not the published file: its {algorithm.upper()} begins with {actual[:8]}, expected '
    f'{expected[:8]}'
  )


def fetch(file: PublishedFile, folder: pathlib.Path, report: ReportFn) -> pathlib.Path:
  """Downloads a file into `folder`, where it appears when it is complete and verified.

  Proxies are taken from the environment (HTTPS_PROXY), as by curl.

  Args:
    file: file to download.
    folder: folder to write to; it is created.
    report: function called with the numbers of megabytes that have come and are expected.

  Raises:
    CheckpointError: the file cannot be downloaded, or is not the published one.
    FolderInUseError: another process downloads the file.
    OutputError: the folder cannot be written to.
  """
  import requests  # of pooch, which loads it as late

  pooch.get_logger().setLevel(logging.WARNING)
  target = folder / file.file
  with locks.scratch_folder(target.with_name(f'.{file.file}.partial'), str(target)) as scratch:
    downloader = pooch.HTTPDownloader(
      progressbar=_Progress(report), chunk_size=_CHUNK_BYTES, timeout=_SECONDS_WITHOUT_DATA
    )
    try:
      # pooch knows whole hashes only; torchvision publishes the beginning.
      path = pathlib.Path(pooch.retrieve(file.url, None, file.file, scratch, downloader=downloader))
    except requests.RequestException as error:
      size = f' ({file.megabytes:.0f} MB)' if file.megabytes else ''
      raise CheckpointError(
        f'{file.url}{size} cannot be downloaded: {_reason(error)}. Without a connection, put '
        f'{file.file} into {folder}, or give its path as --weights.'
      ) from error
    problem = find_mismatch(path, file.checksum)
    if problem:
      raise CheckpointError(f'What came from {file.url} {problem}; nothing is kept.')
    files.sync(path)
    path.replace(target)
  files.sync(folder)
  return target


class _Progress:
  """What pooch calls a progress bar."""

  total = 0

  def __init__(self, report: ReportFn):
    self._report = report
    self._done = 0

  def update(self, number: int) -> None:
    self._done = min(self._done + number, self.total)
    if self.total:
      self._report(self._done // 10**6, max(1, self.total // 10**6))

  def reset(self) -> None:
    self._done = 0

  def close(self) -> None:
    pass


def _reason(error: Exception) -> str:
  """Returns the innermost cause in the words of the library, on one line."""
  import requests

  response = getattr(error, 'response', None)
  if response is not None:
    return f'the server answers {response.status_code} {response.reason}'
  if isinstance(error, requests.Timeout):
    return f'no data within {_SECONDS_WITHOUT_DATA} s'
  cause: BaseException = error
  while cause.__cause__ or cause.__context__:
    cause = cause.__cause__ or cause.__context__ or cause
  text = ' '.join(str(cause).split())
  kind = 'the proxy fails' if isinstance(error, requests.exceptions.ProxyError) else 'no connection'
  if isinstance(error, requests.exceptions.ChunkedEncodingError):
    kind = 'the connection broke'
  return f'{kind}: {text[:_LONGEST_REASON]}'
