import os
import pickle
import signal
import time

import numpy as np
import pytest

from vgg_slim.errors import CheckpointError, WeightMismatchError
from vgg_slim.weights import isolated
from vgg_slim.weights.isolated import Answer, Limits

LIMITS = Limits(memory_bytes=2**30, cpu_seconds=60)


# Functions that the child imports from this module.


def echo(values, arrays):
  print('a library prints')
  return Answer({'values': values, 'pid': os.getpid()}, arrays)


def misbehave(kind):
  if kind == 'crash':
    os.kill(os.getpid(), signal.SIGSEGV)
  if kind == 'loop':
    while True:
      pass
  if kind == 'allocate':
    np.empty(2**40, np.uint8)
  if kind == 'exit':
    os.write(2, b'free(): invalid pointer\n')
    os._exit(3)
  if kind == 'known':
    raise WeightMismatchError('the message of the error')
  raise RuntimeError('two\n  lines')


def test_arrays_and_values_come_back_from_another_process():
  arrays = {
    'matrix': np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
    'scalar': np.array(2.5),
    'empty': np.zeros((0, 3), np.int32),
    'flags': np.array([True, False]),
  }
  answer = isolated.call(echo, ({'a': [1, None]}, arrays), 'x', LIMITS)
  assert answer.values['values'] == {'a': [1, None]}
  assert answer.values['pid'] != os.getpid()
  assert list(answer.arrays) == list(arrays)
  for name, array in arrays.items():
    assert answer.arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(answer.arrays[name], array)


@pytest.mark.parametrize(
  ('kind', 'message'),
  [
    ('crash', '^f.h5 cannot be read: the process that reads it was ended by SIGSEGV; the file is'),
    ('loop', '^f.h5 cannot be read: .* was ended after 1 s of processor time; the file is damaged'),
    ('allocate', '^f.h5 cannot be read: it declares more than 1.0 GiB of arrays'),
    ('exit', r'^f.h5 cannot be read: .* ended with exit code 3: free\(\): invalid pointer$'),
    ('known', '^the message of the error$'),
    ('unknown', r'^f.h5 cannot be read; is the file complete\? two lines$'),
  ],
)
def test_every_end_of_the_child_is_one_line(kind, message):
  limits = Limits(memory_bytes=2**30, cpu_seconds=1) if kind == 'loop' else LIMITS
  started = time.monotonic()
  with pytest.raises(CheckpointError, match=message) as error:
    isolated.call(misbehave, (kind,), 'f.h5 cannot be read', limits)
  assert '\n' not in str(error.value)
  assert isinstance(error.value, WeightMismatchError) == (kind == 'known')
  assert time.monotonic() - started < 60


def test_the_answer_is_not_a_pickle(tmp_path, monkeypatch):
  # A child whose code was taken over can send what it likes; nothing in it must run here.
  monkeypatch.setattr(pickle, 'load', lambda stream: pytest.fail('unpickled in the parent'))
  monkeypatch.setattr(pickle, 'loads', lambda data: pytest.fail('unpickled in the parent'))
  assert isolated.call(echo, (1, {}), 'x', LIMITS).values['values'] == 1
