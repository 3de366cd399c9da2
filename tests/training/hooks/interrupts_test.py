import os
import signal
import time

import pytest

from vgg_slim.training.hooks import interrupts


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_a_signal_is_recorded_and_handlers_are_restored(name):
  before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  with interrupts.stop_on_signals() as stop:
    assert stop.signal_name is None
    os.kill(os.getpid(), getattr(signal, name))
    assert stop.signal_name == name
  assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_ctrl_c_interrupts():
  with pytest.raises(KeyboardInterrupt), interrupts.stop_on_signals():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_a_copy_of_a_signal_does_nothing(name):
  with interrupts.stop_on_signals() as stop:
    for _ in range(3):
      os.kill(os.getpid(), getattr(signal, name))
  assert stop.signal_name == name


def test_a_second_sigterm_does_not_interrupt():
  with interrupts.stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGTERM)
  assert stop.signal_name == 'SIGTERM'
