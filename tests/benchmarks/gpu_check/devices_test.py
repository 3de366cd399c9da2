import subprocess

import pytest

from benchmarks.gpu_check import devices
from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError


def test_rows_without_a_gpu(check):
  assert devices.check_gpus_none(check) == {
    'where': 'CPU',
    'reason': 'GPUs of the session: none',
    'devices': [],
  }
  assert 'TensorFlow finds 0 GPUs' in devices.check_gpus_absent(check)['reason']
  with pytest.raises(NotPossibleError, match='^GPU: '):
    devices.check_device(check)
  for run in (devices.check_gpus_last, devices.check_memory_growth):
    with pytest.raises(NotPossibleError, match='it needs 1 GPU, TensorFlow finds 0'):
      run(check)
  with pytest.raises(NotPossibleError, match='it needs 2 GPUs'):
    devices.require_gpus(2)


def test_a_gpu_that_the_session_lacks_is_wrong():
  with pytest.raises(WrongResultError, match='the session has no GPU, expected'):
    devices._check_placement(['gpu 0'])


@pytest.mark.parametrize(
  ('code', 'text', 'expected'), [(0, '1024\n', 2**30), (0, '\n', None), (9, 'no device\n', None)]
)
def test_used_memory_is_what_nvidia_smi_says(monkeypatch, code, text, expected):
  def run(command, **options):
    assert command[1:] == [
      '--query-gpu=memory.used',
      '--format=csv,noheader,nounits',
      '-i=1',
    ]
    assert options['timeout'] < 60
    return subprocess.CompletedProcess(command, code, text)

  monkeypatch.setattr(devices.subprocess, 'run', run)
  assert devices._used_bytes(1) == expected


def test_a_machine_without_nvidia_smi_is_not_an_error(monkeypatch):
  monkeypatch.setenv('PATH', '')
  assert devices._used_bytes(0) is None


def test_peak_of_a_process_on_the_cpu_is_that_of_main_memory():
  peak = devices.peak_bytes()
  assert peak is None or peak > 2**26
