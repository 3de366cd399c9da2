import contextlib
import json
import socket
import subprocess
import sys
import threading

import pytest

from vgg_slim.errors import ServerError
from vgg_slim.evaluation import socket_client

NETWORK = {'server': 'a', 'batch_size': 2, 'num_classes': 2, 'class_names': None}


@contextlib.contextmanager
def answering(path, *replies):
  """A server that sends each reply, bytes or an object, to one client; None for no reply."""
  listener = socket.socket(socket.AF_UNIX)
  listener.settimeout(20)
  listener.bind(path)
  listener.listen()

  def run():
    with contextlib.suppress(OSError):
      for reply in replies:
        connection, _ = listener.accept()
        with connection:
          connection.settimeout(20)
          if reply is None:
            is_over.wait(timeout=20)
            continue
          connection.recv(10**6)
          connection.sendall(reply if isinstance(reply, bytes) else _line(reply))

  is_over = threading.Event()
  thread = threading.Thread(target=run)
  thread.start()
  try:
    yield
  finally:
    is_over.set()
    thread.join(20)
    listener.close()


def _line(values):
  return json.dumps(values).encode() + b'\n'


@pytest.fixture
def path(tmp_path):
  return str(tmp_path / 's')


def test_no_server(path):
  with pytest.raises(ServerError, match='there is no such socket; start one with --serve='):
    socket_client.ServedNetwork(path)
  with socket.socket(socket.AF_UNIX) as killed:
    killed.bind(path)
  with pytest.raises(ServerError, match='no server listens there'):
    socket_client.ServedNetwork(path)


def test_a_path_that_is_too_long(path):
  with pytest.raises(ServerError, match='at most 107; change to its folder'):
    socket_client.ServedNetwork(path + 120 * 'x')


@pytest.mark.parametrize(
  ('reply', 'message'),
  [
    (b'HTTP/1.1 400 Bad Request\r\n', 'not JSON'),
    (b'', 'the server has ended'),
    (b'{"server"', 'the server has ended'),
    ({'server': 'a'}, 'another version'),
    ({'error': 'the server speaks version 2.'}, 'speaks version 2'),
  ],
)
def test_other_answers(path, reply, message):
  with answering(path, reply), pytest.raises(ServerError, match=message):
    socket_client.ServedNetwork(path)


def test_a_server_that_hangs_is_not_awaited(path):
  with (
    answering(path, None),
    pytest.raises(ServerError, match='no word from the server for 0.2 seconds'),
  ):
    socket_client.ServedNetwork(path, silence_seconds=0.2)


def test_signs_of_life_come_before_an_answer(path):
  answers = b'{"busy": true}\n' * 2 + _line({'answers': [['a', [[1, 'dog', 0.1]]], ['b', 'bad']]})
  with answering(path, NETWORK, answers):
    prediction, failure = socket_client.ServedNetwork(path).predict_files(['a', 'b'], 1)
  assert prediction.top[0].probability == 0.1
  assert failure.reason == 'bad'


@pytest.mark.parametrize('answers', [[['b', 'bad']], [], [['a', 'bad'], ['b', 'bad']]])
def test_answers_about_other_files(path, answers):
  with answering(path, NETWORK, {'answers': answers}):
    network = socket_client.ServedNetwork(path)
    with pytest.raises(ServerError, match='other files'):
      list(network.predict_files(['a'], 1))


def test_a_server_that_ends_between_two_questions(path):
  with answering(path, NETWORK):
    network = socket_client.ServedNetwork(path)
  with pytest.raises(ServerError, match='no server listens there'):
    list(network.predict_files(['a'], 1))


def test_it_is_light():
  program = (
    'import sys, vgg_slim.commands.predict, vgg_slim.evaluation.socket_client\n'
    'print(*{"numpy", "tensorflow", "scipy", "matplotlib", "vgg_slim.checkpoints.contract"}'
    ' & set(sys.modules))'
  )
  run = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, timeout=60, check=True
  )
  assert run.stdout == '\n'
