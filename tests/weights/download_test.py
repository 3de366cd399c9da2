import gc
import hashlib
import http.server
import logging
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tests.weights import loopback
from vgg_slim import locks
from vgg_slim.errors import CheckpointError, FolderInUseError
from vgg_slim.weights import download, published

CONTENT = os.urandom(3_000_000)


class Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):  # noqa: N802 (the name is http.server's)
    self.server.asked.append(self.path)
    if 'missing' in self.path:
      self.send_error(404)
      return
    self.send_response(200)
    self.send_header('Content-Length', str(len(CONTENT)))
    self.end_headers()
    self.wfile.write(CONTENT[: len(CONTENT) // 2] if 'cut' in self.path else CONTENT)

  def log_message(self, *arguments):
    pass


@pytest.fixture
def server():
  with loopback.serve(Handler) as server:
    yield server


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
  for name in ('KERAS_HOME', 'TORCH_HOME', 'XDG_CACHE_HOME'):
    monkeypatch.delenv(name, raising=False)
  for name in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'):
    monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(name.upper(), raising=False)
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))


def published_file(address, name='vgg.h5', algorithm='md5', digits=None, publisher=published.KERAS):
  checksum = f'{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()[:digits]}'
  publisher = publisher._replace(address=f'{address}/')
  return published.PublishedFile('x', publisher, 'vgg_d', name, checksum, 3.0, 'MIT')


def address_of(server):
  return f'http://127.0.0.1:{server.server_address[1]}'


def closed_port():
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    return free.getsockname()[1]


def entries(folder):
  return sorted(path.name for path in folder.rglob('*')) if folder.exists() else []


@pytest.mark.parametrize(('algorithm', 'digits'), [('md5', None), ('sha256', 8)])
def test_a_file_comes_once_is_verified_and_reports_its_progress(
  tmp_path, server, algorithm, digits
):
  file = published_file(address_of(server), 'a/vgg.h5', algorithm, digits)
  folder, reports = tmp_path / 'weights', []
  assert download.find(file, folder) is None
  path = download.fetch(file, folder, lambda done, total: reports.append((done, total)))
  assert path.read_bytes() == CONTENT
  assert reports[-1] == (3, 3)
  assert len(reports) > 2
  assert reports == sorted(reports)
  assert entries(folder) == ['vgg.h5']
  assert download.find(file, folder) == path
  assert server.asked == ['/a/vgg.h5']


def test_another_file_under_the_address_is_not_kept(tmp_path, server):
  file = published_file(address_of(server))._replace(
    checksum='md5:64373286793e3c8b2b4e3219cbf3544b'
  )
  with pytest.raises(CheckpointError, match='What came from http.* is not the published file: its '
                     'MD5 begins with .{8}, expected 64373286; nothing is kept'):  # fmt: skip
    download.fetch(file, tmp_path / 'weights', lambda done, total: None)
  assert entries(tmp_path / 'weights') == []


@pytest.mark.parametrize(
  ('name', 'message'),
  [
    ('cut.h5', r'cut.h5 \(3 MB\) cannot be downloaded: the connection broke: .*1500000 bytes read'),
    ('missing.h5', 'cannot be downloaded: the server answers 404 Not Found.'),
  ],
)
# requests leaves the broken connection to the garbage collector.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_half_a_file_and_none_leave_nothing(tmp_path, server, name, message):
  folder = tmp_path / 'weights'
  with pytest.raises(CheckpointError, match=message) as error:
    download.fetch(published_file(address_of(server), name), folder, lambda done, total: None)
  assert f'put {name} into {folder}, or give its path as --weights' in str(error.value)
  assert '\n' not in str(error.value)
  assert entries(folder) == []
  del error
  gc.collect()


def test_without_network_one_line_says_which_file_to_put_where(tmp_path):
  file = published_file(f'http://127.0.0.1:{closed_port()}')
  message = (
    f'cannot be downloaded: no connection: .*refused.* put vgg.h5 into {tmp_path}/w, or give'
  )
  with pytest.raises(CheckpointError, match=message):
    download.fetch(file, tmp_path / 'w', lambda done, total: None)


def test_a_name_that_does_not_resolve_is_one_line(tmp_path):
  file = published_file('http://nowhere.invalid')
  with pytest.raises(
    CheckpointError, match='nowhere.invalid.* cannot be downloaded: no connection: '
  ):
    download.fetch(file, tmp_path / 'w', lambda done, total: None)


def test_a_proxy_of_the_environment_is_asked(tmp_path, server, monkeypatch):
  monkeypatch.setenv('http_proxy', address_of(server))
  file = published_file('http://nowhere.invalid/models')
  path = download.fetch(file, tmp_path, lambda done, total: None)
  assert path.read_bytes() == CONTENT
  assert server.asked == ['http://nowhere.invalid/models/vgg.h5']


def test_a_proxy_that_is_down_is_named_as_the_cause(tmp_path, monkeypatch):
  monkeypatch.setenv('http_proxy', f'http://127.0.0.1:{closed_port()}')
  with pytest.raises(CheckpointError, match='cannot be downloaded: the proxy fails: .*refused'):
    download.fetch(published_file('http://nowhere.invalid'), tmp_path, lambda done, total: None)


def test_a_killed_download_leaves_no_file_and_the_next_one_succeeds(tmp_path, server):
  folder = tmp_path / 'weights'
  code = f"""
import os
from vgg_slim.weights import download
from tests.weights import download_test
file = download_test.published_file({address_of(server)!r})
file = file._replace(checksum='md5:{hashlib.md5(CONTENT).hexdigest()}')
download.fetch(file, download_test.pathlib.Path({str(folder)!r}), lambda d, t: os._exit(9))
"""
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
  done = subprocess.run([sys.executable, '-c', code], timeout=120, env=environment)
  assert done.returncode == 9
  assert not (folder / 'vgg.h5').exists()
  file = published_file(address_of(server))
  assert download.fetch(file, folder, lambda d, t: None).read_bytes() == CONTENT
  assert entries(folder) == ['vgg.h5']


def test_two_processes_do_not_write_the_same_file(tmp_path, server):
  with (
    locks.hold(tmp_path / '.vgg.h5.partial'),
    pytest.raises(FolderInUseError, match='vgg.h5 is in'),
  ):
    download.fetch(published_file(address_of(server)), tmp_path, lambda d, t: None)


@pytest.mark.parametrize(
  ('publisher', 'variable', 'folder'),
  [
    (published.KERAS, None, 'home/.keras/models'),
    (published.KERAS, 'KERAS_HOME', 'chosen/models'),
    (published.TORCHVISION, None, 'home/.cache/torch/hub/checkpoints'),
    (published.TORCHVISION, 'XDG_CACHE_HOME', 'chosen/torch/hub/checkpoints'),
    (published.TORCHVISION, 'TORCH_HOME', 'chosen/hub/checkpoints'),
  ],
)
def test_caches_of_keras_and_torch_are_searched(
  tmp_path, monkeypatch, caplog, publisher, variable, folder
):
  if variable:
    monkeypatch.setenv(variable, str(tmp_path / 'chosen'))
  path = tmp_path / folder / 'vgg.h5'
  path.parent.mkdir(parents=True)
  path.write_bytes(CONTENT)
  file = published_file('http://nowhere.invalid', publisher=publisher)
  assert download.find(file, tmp_path / 'weights') == path
  path.write_bytes(CONTENT[:-1])  # such as an older version of the same name
  with caplog.at_level(logging.WARNING):
    assert download.find(file, tmp_path / 'weights') is None
  assert f'{path} is not the published file' in caplog.text


def test_another_file_in_the_own_folder_is_not_overwritten(tmp_path):
  (tmp_path / 'vgg.h5').write_bytes(b'mine')
  with pytest.raises(CheckpointError, match='vgg.h5 is not the published file: .* Delete it, and'):
    download.find(published_file('http://nowhere.invalid'), tmp_path)
  assert (tmp_path / 'vgg.h5').read_bytes() == b'mine'


def test_a_file_without_a_published_checksum_is_taken_by_name(tmp_path):
  (tmp_path / 'vgg.h5').write_bytes(b'anything')
  file = published_file('http://nowhere.invalid')._replace(checksum=None)
  assert download.find(file, tmp_path) == tmp_path / 'vgg.h5'
  assert isinstance(download.find(file, tmp_path), pathlib.Path)
