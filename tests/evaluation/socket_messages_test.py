import json
import os
import socket
import time

import numpy as np
import pytest

from vgg_slim.errors import ServerError
from vgg_slim.evaluation import socket_messages
from vgg_slim.evaluation.predictions import ClassScore, Failure, Prediction


@pytest.fixture
def pair():
  here, there = socket.socketpair()
  with here, there:
    yield here, there


def test_every_bit_of_an_answer_comes_through(pair):
  here, there = pair
  scores = np.random.default_rng(0).random(100).astype(np.float32)
  top = tuple(ClassScore(i, f'caf\xe9 {i}', float(score)) for i, score in enumerate(scores))
  name = os.fsdecode(b'x\xe8\n.png')
  for answer in (Prediction(name, top), Failure(name, 'damaged')):
    socket_messages.send(here, {'answers': [socket_messages.pack(answer)]}, 5)
    received = socket_messages.Receiver(there).receive(10**5, 5)
    assert socket_messages.unpack(received['answers'][0]) == answer


@pytest.mark.parametrize('values', [None, [], ['a'], ['a', 1], ['a', [[1, 'b']]], ['a', 'b', 'c']])
def test_an_answer_in_another_form_is_refused(values):
  with pytest.raises(ServerError, match='another form'):
    socket_messages.unpack(values)


def test_several_objects_and_parts_of_one(pair):
  here, there = pair
  receiver = socket_messages.Receiver(there)
  here.sendall(b'{"a": 1}\n{"b": 2}\n{"c"')
  assert [receiver.receive(100, 5) for _ in range(2)] == [{'a': 1}, {'b': 2}]
  with pytest.raises(TimeoutError):
    receiver.receive(100, 0.1)
  here.sendall(b': 3}\n')
  assert receiver.receive(100, 5) == {'c': 3}


def test_a_slow_sender_has_no_more_time_than_a_silent_one(pair):
  here, there = pair
  there_socket = _Trickling(there)
  began = time.monotonic()
  with pytest.raises(TimeoutError):
    socket_messages.Receiver(there_socket).receive(10**6, 0.3)
  assert time.monotonic() - began < 5
  del here


class _Trickling:
  """A socket from which a byte comes every 50 ms, without end."""

  def __init__(self, connection):
    self._connection = connection

  def settimeout(self, seconds):
    self._seconds = seconds

  def recv(self, size):
    time.sleep(min(self._seconds, 0.05))
    return b'x'


@pytest.mark.parametrize(
  ('sent', 'message'),
  [
    (b'x' * 200, 'more than 100 bytes'),
    (b'[1]\n', 'not a JSON object'),
    (b'GET / HTTP/1.1\n', 'not JSON'),
    (b'\xff\n', 'not JSON'),
    (b'[' * 90 + b'\n', 'not JSON'),
  ],
)
def test_what_is_no_message(pair, sent, message):
  here, there = pair
  here.sendall(sent)
  with pytest.raises(ServerError, match=message):
    socket_messages.Receiver(there).receive(100, 5)


def test_the_other_side_has_gone(pair):
  here, there = pair
  here.sendall(b'{"a"')
  here.close()
  with pytest.raises(ConnectionError):
    socket_messages.Receiver(there).receive(100, 5)
  with pytest.raises(OSError):
    socket_messages.send(there, {'a': json.dumps('x' * 10**6)}, 5)


def test_a_side_that_does_not_receive_is_not_awaited_for_ever(pair):
  with pytest.raises(TimeoutError):
    socket_messages.send(pair[0], {'a': 'x' * 10**7}, 0.2)


def test_batches_fit_into_a_question(monkeypatch):
  assert list(socket_messages.batches([], 3)) == []
  assert list(socket_messages.batches(list('abcde'), 2)) == [['a', 'b'], ['c', 'd'], ['e']]
  monkeypatch.setattr(socket_messages, 'MAX_QUESTION_BYTES', 40)
  names = ['ab', 'cd', 30 * 'e', 'f', 'ghijk', 'lmnop', 'q']
  found = list(socket_messages.batches(names, 5))
  assert found == [['ab', 'cd'], [30 * 'e'], ['f', 'ghijk', 'lmnop', 'q']]
