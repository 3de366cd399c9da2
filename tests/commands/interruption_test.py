import functools
import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.testing import started
from vgg_slim.commands import interruption

# The derivation of the key takes minutes, and like TensorFlow it lets other threads run but
# Python's handlers of signals wait.
PROGRAM = """
import hashlib, signal
from vgg_slim.commands import interruption

signal.signal(signal.SIGINT, lambda number, frame: None)
with interruption.answered(lambda line: print(line, flush=True)):
  print('busy', flush=True)
  hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)
"""


def test_the_first_ctrl_c_is_answered_at_once_and_the_second_leaves():
  with started([sys.executable, '-c', PROGRAM], seconds=60, stdout=subprocess.PIPE) as process:
    assert process.stdout.readline() == 'busy\n'
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline().startswith('Stopping; press Ctrl-C again')
    assert process.poll() is None
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    assert process.stdout.read() == 'Interrupted.\n'
    assert process.wait(timeout=60) == 130


def test_a_main_thread_that_leaves_by_itself_is_not_ended(request):
  lines, before = [], signal.default_int_handler
  # Background jobs of scripts ignore the signal.
  request.addfinalizer(
    functools.partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
  )
  signal.signal(signal.SIGINT, before)
  with pytest.raises(KeyboardInterrupt), interruption.answered(lines.append):
    signal.raise_signal(signal.SIGINT)
  assert len(lines) <= 1
  assert signal.getsignal(signal.SIGINT) == before
  assert signal.set_wakeup_fd(-1) == -1


def test_other_threads_are_left_alone():
  def run():
    with interruption.answered(print):
      pass

  thread = threading.Thread(target=run)
  thread.start()
  thread.join(timeout=60)
  assert not thread.is_alive()


def test_a_program_is_told_of_the_second_ctrl_c():
  program = PROGRAM.replace(
    'with interruption',
    'import contextlib, sys\n'
    'from vgg_slim.reporting import JsonStream\n'
    'with contextlib.redirect_stdout(JsonStream(sys.stdout)), interruption',
  )
  with started([sys.executable, '-c', program], seconds=60, stdout=subprocess.PIPE) as process:
    assert 'busy' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert 'Stopping' in process.stdout.readline()
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    _, *last = map(json.loads, process.stdout)
    assert last == [
      {'event': 'error', 'text': 'interrupted.'},
      {'event': 'end', 'exit_code': 130},
    ]
    assert process.wait(timeout=60) == 130


def test_copies_of_a_ctrl_c_do_not_leave():
  with started([sys.executable, '-c', PROGRAM], seconds=60, stdout=subprocess.PIPE) as process:
    assert process.stdout.readline() == 'busy\n'
    for _ in range(2):
      process.send_signal(signal.SIGINT)
      time.sleep(0.01)  # the kernel keeps one that has not been delivered for all further ones
    assert process.stdout.readline().startswith('Stopping; press Ctrl-C again')
    with pytest.raises(subprocess.TimeoutExpired):
      process.wait(timeout=interruption._GRACE_SECONDS + 1)


def test_the_signal_of_an_interrupt():
  assert interruption.signal_of(KeyboardInterrupt()) == signal.SIGINT
  assert interruption.signal_of(KeyboardInterrupt(signal.SIGTERM, 'text')) == signal.SIGTERM
