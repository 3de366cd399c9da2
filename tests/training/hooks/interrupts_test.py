import os
import signal

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
    os.kill(os.getpid(), signal.SIGINT)
