import contextlib
import json
import os
import pathlib
import socket
import stat
import threading
import time

import pytest

from vgg_slim.errors import DataError, OutputError
from vgg_slim.evaluation import socket_client, socket_messages, socket_server
from vgg_slim.evaluation.predictions import ClassScore, Failure, Prediction

DESCRIPTION = socket_messages.Description('this start', 3, 2, ['cat', 'dog'])
QUESTION = {
  'version': socket_messages.VERSION,
  'ask': 'predictions',
  'server': 'this start',
  'folder': '/photos',
  'files': ['a.jpg'],
  'top': 1,
}


class _Stoppable:
  """A listening socket that is interrupted, as by a signal, once an event is set."""

  def __init__(self, listener):
    self._listener, self.is_over = listener, threading.Event()

  def settimeout(self, seconds):
    self._listener.settimeout(0.02)

  def accept(self):
    if self.is_over.is_set():
      raise KeyboardInterrupt
    return self._listener.accept()


@contextlib.contextmanager
def served(path, answer_fn):
  with socket_server.listening(path) as listener:
    stoppable = _Stoppable(listener)

    def run():
      with contextlib.suppress(KeyboardInterrupt):
        socket_server.serve(stoppable, DESCRIPTION, answer_fn)

    thread = threading.Thread(target=run)
    thread.start()
    try:
      yield stoppable
    finally:
      stoppable.is_over.set()
      thread.join(30)
      assert not thread.is_alive()


def answer_fn(folder, files, top):
  return [
    Failure(name, f'not in {folder}')
    if name == 'none'
    else Prediction(name, (ClassScore(1, 'dog', 1 / 3),) * top)
    for name in files
  ]


def ask(path, **changes):
  """Sends a question with some other values; returns the answer."""
  with _connected(path) as connection:
    socket_messages.send(connection, {**QUESTION, **changes}, 5)
    return socket_messages.Receiver(connection).receive(10**6, 20)


@contextlib.contextmanager
def _connected(path):
  with socket.socket(socket.AF_UNIX) as connection:
    socket_messages.connect(connection, path, 20)
    connection.settimeout(20)
    yield connection


@pytest.fixture
def path(tmp_path):
  return str(tmp_path / 's')


def test_a_network_is_described_and_answers_in_batches(path, monkeypatch):
  asked = []

  def remember(folder, files, top):
    asked.append((folder, files, top))
    return answer_fn(folder, files, top)

  folder = str(pathlib.Path(path).parent)
  monkeypatch.chdir(folder)
  with served(path, remember):
    network = socket_client.ServedNetwork(path)
    assert (network.class_names, network.num_classes) == (('cat', 'dog'), 2)
    answers = list(network.predict_files(['a', 'none', 'c', 'd'], 2))
  assert answers == answer_fn(folder, ['a', 'none', 'c', 'd'], 2)
  assert asked == [(folder, ['a', 'none', 'c'], 2), (folder, ['d'], 2)]


@pytest.mark.parametrize(
  'error', [DataError('no data.'), OSError(5, 'I/O error'), MemoryError(), ValueError('x' * 9999)]
)
def test_an_error_is_the_answer_to_one_question(path, error):
  def fail_once(folder, files, top):
    if files == ['bad']:
      raise error
    return answer_fn(folder, files, top)

  with served(path, fail_once):
    reason = ask(path, files=['bad'])['error']
    assert str(error)[:20] in reason
    assert 0 < len(reason) < 500
    assert ask(path) == {'answers': [['a.jpg', [[1, 'dog', 1 / 3]]]]}


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'version': 2}, 'version 1 of the protocol, and the client 2'),
    ({'version': None}, 'version 1 of the protocol'),
    ({'ask': 'names'}, "unknown question 'names'"),
    ({'ask': ['names']}, 'unknown question'),
    ({'server': 'the start before'}, 'started anew'),
    ({'folder': 'photos'}, 'absolute folder'),
    ({'folder': None}, 'absolute folder'),
    ({'files': 'a.jpg'}, 'at most 3 names'),
    ({'files': [1]}, 'at most 3 names'),
    ({'folder': '/a\0'}, 'absolute folder'),
    ({'files': ['a', 'b', 'c', 'd']}, 'at most 3 names'),
    ({'top': 0}, 'top of 1 to 2'),
    ({'top': 3}, 'top of 1 to 2'),
    ({'top': True}, 'top of 1 to 2'),
  ],
)
def test_questions_that_are_refused(path, changes, message):
  with served(path, answer_fn):
    assert message in ask(path, **changes)['error']


def test_a_question_that_is_too_long_or_no_question(path, monkeypatch):
  monkeypatch.setattr(socket_messages, 'MAX_QUESTION_BYTES', 10**5)
  with served(path, answer_fn):
    assert 'more than 100000 bytes' in ask(path, files=['x' * 10**5])['error']
    for sent in (b'{}\n', b'[]\n', b'GET / HTTP/1.1\r\n\r\n', b'\0\n'):
      with _connected(path) as connection:
        connection.sendall(sent)
        assert 'error' in json.loads(connection.makefile('rb').readline())
    assert 'answers' in ask(path)


def test_clients_that_die_or_are_silent_hold_nobody_up(path, monkeypatch):
  monkeypatch.setattr(socket_server, '_QUESTION_SECONDS', 0.5)
  monkeypatch.setattr(socket_server, '_BUSY_SECONDS', 0.05)
  began, go_on = threading.Event(), threading.Event()

  def wait(folder, files, top):
    if files == ['slow']:
      began.set()
      assert go_on.wait(timeout=20)
    return answer_fn(folder, files, top)

  with served(path, wait), _connected(path) as silent:
    with _connected(path) as connection:
      connection.sendall(b'{"ver')
    with _connected(path) as connection:
      socket_messages.send(connection, {**QUESTION, 'files': ['slow']}, 5)
      assert began.wait(timeout=20)
    # The first of these is the next in line; its client has gone before its turn.
    with _connected(path) as connection:
      socket_messages.send(connection, QUESTION, 5)
    go_on.set()
    assert 'answers' in ask(path)
    assert json.loads(silent.makefile('rb').readline() or b'{}') == {}


def test_a_client_hears_that_its_turn_has_not_come(path, monkeypatch):
  monkeypatch.setattr(socket_server, '_BUSY_SECONDS', 0.05)

  def slow(folder, files, top):
    time.sleep(0.5)
    return answer_fn(folder, files, top)

  with served(path, slow):
    with _connected(path) as connection:
      socket_messages.send(connection, QUESTION, 5)
      lines = connection.makefile('rb').readlines()
    assert json.loads(lines[0]) == {'busy': True}
    assert 'answers' in json.loads(lines[-1])
    # Silence of less than the whole answer takes is enough, since signs of life come.
    network = socket_client.ServedNetwork(path, silence_seconds=0.3)
    assert len(list(network.predict_files(['a'], 1))) == 1


def test_the_batch_that_is_computed_when_the_server_stops_is_answered(path):
  began = threading.Event()

  def slow(folder, files, top):
    began.set()
    time.sleep(0.5)
    return answer_fn(folder, files, top)

  answers = []
  with served(path, slow) as stoppable:
    threads = [threading.Thread(target=lambda: answers.append(ask(path))) for _ in range(2)]
    threads[0].start()
    assert began.wait(timeout=20)
    threads[1].start()
    time.sleep(0.2)
    stoppable.is_over.set()
    for thread in threads:
      thread.join(20)
  assert 'answers' in answers[1] or 'answers' in answers[0]
  assert any('stopping' in each.get('error', '') for each in answers)


def test_many_clients_at_once(path):
  with served(path, answer_fn):
    answers = []
    threads = [
      threading.Thread(target=lambda i=i: answers.append(ask(path, files=[str(i)])))
      for i in range(100)
    ]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join(20)
  assert sorted(int(each['answers'][0][0]) for each in answers) == list(range(100))


def test_the_socket_is_for_one_user_and_is_removed(path):
  umask = os.umask(0)
  try:
    with socket_server.listening(path):
      assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
      assert os.umask(0) == 0
  finally:
    os.umask(umask)
  assert not os.path.exists(path)


def test_the_file_of_a_killed_server_is_replaced_and_that_of_another_is_not(path):
  with socket.socket(socket.AF_UNIX) as killed:
    killed.bind(path)
    killed.listen()
  assert os.path.exists(path)
  with served(path, answer_fn):
    with (
      pytest.raises(OutputError, match='in use by another server'),
      socket_server.listening(path),
    ):
      pass
    assert 'answers' in ask(path)


def test_what_is_no_socket_stays(path):
  pathlib.Path(path).write_text('mine')
  with pytest.raises(OutputError, match='not a socket'), socket_server.listening(path):
    pass
  assert pathlib.Path(path).read_text() == 'mine'


def test_a_file_that_replaced_the_socket_stays(path):
  with socket_server.listening(path):
    os.unlink(path)
    pathlib.Path(path).write_text('mine')
  assert pathlib.Path(path).read_text() == 'mine'


def test_of_servers_that_start_at_once_one_stays(path):
  with socket.socket(socket.AF_UNIX) as killed:
    killed.bind(path)
  outcomes, barrier, is_over = [], threading.Barrier(8), threading.Event()

  def start():
    barrier.wait(timeout=20)
    try:
      with socket_server.listening(path):
        outcomes.append('listens')
        is_over.wait(timeout=20)
    except OutputError:
      outcomes.append('refused')

  threads = [threading.Thread(target=start) for _ in range(8)]
  for thread in threads:
    thread.start()
  deadline = time.monotonic() + 20
  while len(outcomes) < 8 and time.monotonic() < deadline:
    time.sleep(0.01)
  is_over.set()
  for thread in threads:
    thread.join(20)
  assert sorted(outcomes) == ['listens'] + 7 * ['refused']


@pytest.mark.parametrize(
  ('name', 'message'),
  [('no/s', 'No such file'), ('x' * 120, 'change to its folder, and give its name')],
)
def test_paths_that_cannot_be_created(tmp_path, name, message):
  with (
    pytest.raises(OutputError, match=message),
    socket_server.listening(str(tmp_path / name)),
  ):
    pass
