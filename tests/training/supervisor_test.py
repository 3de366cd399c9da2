"""Tests with shell scripts in place of workers; tests/integration has real workers."""

import json
import os
import pathlib
import signal
import sys
import threading
import time

import pytest

from tests.testing import started
from vgg_slim.errors import ConfigError
from vgg_slim.training import supervisor

ROOT = str(pathlib.Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def short_delays(monkeypatch, tmp_path):
  monkeypatch.setattr(supervisor, '_FIRST_DELAY', 0.01)
  monkeypatch.setattr(supervisor, '_GRACE_SECONDS', 0.2)
  monkeypatch.setattr(supervisor, '_POLL_SECONDS', 0.01)
  monkeypatch.chdir(tmp_path)


def supervise(script, num_workers=1):
  lines = []
  code = supervisor.Supervisor(['sh', '-c', script], num_workers, lines.append).run()
  return code, lines


def test_workers_that_succeed_end_the_supervision():
  assert supervise('exit 0', num_workers=2) == (0, [])


@pytest.mark.parametrize('code', [1, 2])
def test_user_errors_are_not_retried(code):
  assert supervise(f'exit {code}') == (code, [])


def test_the_delay_grows_with_each_lost_worker():
  code, lines = supervise('echo >> tries; [ $(wc -l < tries) = 4 ] || exit 75')
  assert code == 0
  assert lines == [
    f'A worker ended with code 75; all start again in {delay} s.' for delay in (0.01, 0.02, 0.04)
  ]


def test_the_delay_has_a_limit_and_is_short_again_after_a_steady_run(monkeypatch):
  monkeypatch.setattr(supervisor, '_LONGEST_DELAY', 0.02)
  script = 'echo >> tries; [ $(wc -l < tries) = 5 ] || exit 75'
  _, lines = supervise(script)
  assert [line.rpartition(' in ')[2] for line in lines] == ['0.01 s.', *3 * ['0.02 s.']]
  monkeypatch.setattr(supervisor, '_STEADY_SECONDS', 0)
  _, lines = supervise(script.replace('tries', 'others'))
  assert [line.rpartition(' in ')[2] for line in lines] == 4 * ['0.01 s.']


def test_a_killed_worker_ends_the_waiting_ones(tmp_path):
  script = """
    case $TF_CONFIG in *'"index": 0'*) me=0;; *) me=1;; esac
    echo $$ >> started_$me
    [ $(wc -l < started_$me) = 2 ] && exit 0
    [ $me = 1 ] && { while ! [ -e started_0 ]; do sleep 0.01; done; kill -9 $$; }
    exec sleep 60
  """
  code, lines = supervise(script, num_workers=2)
  assert (code, len(lines)) == (0, 1)
  assert f'code {128 + signal.SIGKILL}' in lines[0]
  waiting = int((tmp_path / 'started_0').read_text().split()[0])
  with pytest.raises(ProcessLookupError):
    os.kill(waiting, 0)


def test_a_user_error_of_one_worker_outranks_its_loss_for_another():
  script = 'case $TF_CONFIG in *\'"index": 0\'*) exit 75;; *) sleep 0.1; exit 1;; esac'
  assert supervise(script, num_workers=2) == (1, [])


def test_local_workers_share_a_new_cluster(tmp_path):
  assert supervise('echo "$TF_CONFIG" > config_$$', num_workers=2)[0] == 0
  configs = [json.loads(path.read_text()) for path in tmp_path.glob('config_*')]
  assert sorted(config['task']['index'] for config in configs) == [0, 1]
  assert configs[0]['cluster'] == configs[1]['cluster']


@pytest.mark.parametrize(
  ('pauses', 'script', 'code'),
  [
    ([], "trap 'exit 0' TERM; touch ready; while :; do sleep 0.01; done", 0),
    ([], "trap 'exit 75' TERM; touch ready; while :; do sleep 0.01; done", 75),
    ([0.2], "trap 'sleep 1; exit 0' TERM; touch ready; while :; do sleep 0.01; done", 0),
    ([0.6], "trap '' TERM; touch ready; while :; do sleep 0.01; done", 128 + signal.SIGKILL),
  ],
)
def test_signals_are_passed_on_and_end_the_supervision(tmp_path, pauses, script, code):
  def send():
    while not (tmp_path / 'ready').exists():
      time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    for pause in pauses:
      time.sleep(pause)
      os.kill(os.getpid(), signal.SIGTERM)

  before = signal.getsignal(signal.SIGTERM)
  thread = threading.Thread(target=send)
  thread.start()
  assert supervise(script) == (code, [])
  thread.join()
  assert signal.getsignal(signal.SIGTERM) is before


# The tests may run under nohup, which ignores SIGHUP; so do its children.
SUPERVISOR = """
import signal, sys
from vgg_slim.training import supervisor
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(supervisor.Supervisor(['sh', '-c', sys.argv[1]], 2, print).run())
"""
WAITS = "trap 'touch ended_$$; exit 0' TERM; touch started_$$; while :; do sleep 0.01; done"


def until(condition):
  end = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.01)


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGHUP, 0), (signal.SIGKILL, -9)])
def test_no_worker_outlives_the_supervisor(tmp_path, number, code):
  command = [sys.executable, '-c', SUPERVISOR, WAITS]
  with started(command, env={**os.environ, 'PYTHONPATH': ROOT}) as process:
    until(lambda: len(list(tmp_path.glob('started_*'))) == 2)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
  until(lambda: len(list(tmp_path.glob('ended_*'))) == 2)


def test_an_ignored_hang_up_stays_ignored():
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    assert supervise('kill -HUP $PPID; sleep 0.1; exit 0') == (0, [])
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
  finally:
    signal.signal(signal.SIGHUP, before)


def test_a_signal_ends_the_delay(monkeypatch):
  monkeypatch.setattr(supervisor, '_FIRST_DELAY', 60.0)

  def interrupt(line):
    os.kill(os.getpid(), signal.SIGTERM)

  assert supervisor.Supervisor(['sh', '-c', 'exit 75'], 1, interrupt).run() == 75


def test_a_missing_command_is_named():
  with pytest.raises(ConfigError, match='nowhere/train cannot be started: No such file'):
    supervisor.Supervisor(['nowhere/train'], 1, print).run()


def test_tf_config_excludes_several_local_workers(monkeypatch):
  monkeypatch.setenv('TF_CONFIG', '{}')
  assert supervise('exit 0') == (0, [])  # a single worker inherits TF_CONFIG
  with pytest.raises(ConfigError, match='TF_CONFIG is set'):
    supervisor.Supervisor(['true'], 2, print)
