import os
import pathlib
import time

import pytest

from benchmarks.gpu_check import rows, runner
from benchmarks.gpu_check.rows import Outcome, Row

FAKE = ('tests.benchmarks.gpu_check.fake_child',)


def make_row(name, seconds=60, environment=None, needs_reference=False, needs_gpus=0):
  return Row(name, f'about {name}', '', seconds, environment or {}, needs_reference, needs_gpus)


def run(checks, folder, seconds=300.0, earlier=()):
  said = []
  outcomes = runner.run_rows(checks, 'thin', folder, seconds, said.append, earlier, FAKE)
  assert said == outcomes
  return outcomes


def test_each_end_of_a_process_ends_one_row_only(tmp_path):
  names = ('works', 'fails', 'cannot', 'crashes', 'exits')
  environments = {'works': {'OF_THE_ROW': 'yes'}}
  checks = [make_row(name, environment=environments.get(name)) for name in names]
  works, fails, cannot, crashes, exits = run(checks, tmp_path)
  assert (works.status, works.where, works.reason) == (rows.OK, 'CPU', 'works.')
  assert works.values == {'size': 'thin', 'variable': 'yes'}
  assert works.seconds > 0
  assert (fails.status, fails.reason) == (rows.FAILED, 'fails.')
  assert fails.values['variable'] is None
  assert cannot.status == rows.NOT_POSSIBLE
  assert (crashes.status, exits.status) == (rows.FAILED, rows.FAILED)
  assert crashes.reason.startswith('the process was ended by SIGABRT: ')
  assert exits.reason == 'the process ended with exit code 1: no such driver'


def test_a_row_that_hangs_is_ended_with_its_children(tmp_path):
  hangs, works = run([make_row('hangs', seconds=3), make_row('works')], tmp_path)
  assert hangs.status == rows.FAILED
  assert hangs.reason == 'no answer after 3 seconds; the process was ended'
  assert hangs.seconds < 20
  assert works.status == rows.OK
  sleeper = int((tmp_path / 'sleeper').read_text())
  for _ in range(100):
    try:
      os.kill(sleeper, 0)
      state = pathlib.Path(f'/proc/{sleeper}/stat').read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
      return
    if state == 'Z':  # nobody waits for orphans in some containers
      return
    time.sleep(0.05)
  pytest.fail('the child of the row still runs')


def test_rows_that_compare_need_the_reference(tmp_path, monkeypatch):
  compares = make_row('works', needs_reference=True)
  monkeypatch.setattr(rows, 'REFERENCE', 'exits')
  reference, skipped = run([make_row('exits'), compares], tmp_path)
  assert reference.status == rows.FAILED
  assert (skipped.status, skipped.where) == (rows.NOT_POSSIBLE, '')
  assert skipped.reason == 'the row exits, with which it compares, did not succeed'
  monkeypatch.setattr(rows, 'REFERENCE', 'works')
  assert [one.status for one in run([make_row('works'), compares], tmp_path)] == [rows.OK] * 2


def test_no_row_starts_after_the_limit_of_all(tmp_path):
  (late,) = run([make_row('works')], tmp_path, seconds=0.5)
  assert late.status == rows.NOT_POSSIBLE
  assert late.reason.startswith('the time for all rows is over')


def test_a_row_that_the_limit_of_all_ends_has_not_failed(tmp_path):
  hangs, late = run([make_row('hangs'), make_row('works')], tmp_path, seconds=6.0)
  assert hangs.seconds < 30
  assert (hangs.status, late.status) == (rows.NOT_POSSIBLE, rows.NOT_POSSIBLE)
  assert hangs.reason == late.reason


def test_a_row_without_its_gpus_does_not_start(tmp_path):
  device = Outcome(rows.DEVICE, '', rows.OK, 'GPU', '', 1.0, {'gpus': ['a card']})
  one, two = make_row('works', needs_gpus=1), make_row('crashes', needs_gpus=2)
  assert [outcome.status for outcome in run([one, two], tmp_path, earlier=[device])] == [
    rows.OK,
    rows.NOT_POSSIBLE,
  ]
  none = Outcome(rows.DEVICE, '', rows.NOT_POSSIBLE, '', '', 1.0)
  (outcome,) = run([one], tmp_path, earlier=[none])
  assert outcome.reason == 'it needs 1 GPU, TensorFlow finds 0'


def test_an_answer_of_another_run_does_not_count(tmp_path):
  (tmp_path / 'exits.json').write_text('{"status": "ok", "where": "", "reason": "", "values": {}}')
  (outcome,) = run([make_row('exits')], tmp_path)
  assert outcome.status == rows.FAILED
