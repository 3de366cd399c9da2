import contextlib
import json
import pathlib
import signal
import sys
import time

import pytest

from benchmarks.gpu_check import __main__, rows, runner
from benchmarks.gpu_check.rows import Outcome
from tests.testing import started
from vgg_slim import child_processes

STATUSES = {'device': rows.NOT_POSSIBLE, 'float32': rows.FAILED}


@pytest.fixture
def ran(monkeypatch):
  """Replaces the processes: the device is not possible, `float32` fails, all others work."""
  calls = []

  def run_rows(checks, size, folder, seconds, report, earlier=()):
    assert folder.is_dir()
    calls.append(([row.name for row in checks], size, round(seconds), len(earlier)))
    outcomes = [
      Outcome(row.name, row.about, STATUSES.get(row.name, rows.OK), 'CPU', '', 1.0)
      for row in checks
    ]
    for outcome in outcomes:
      report(outcome)
    return outcomes

  monkeypatch.setattr(runner, 'run_rows', run_rows)
  return calls


def test_all_rows_run_on_thin_networks_without_a_gpu(ran, tmp_path, capsys):
  output = tmp_path / 'check.json'
  assert __main__.main([f'--output={output}']) == 1
  others = [name for name in rows.BY_NAME if name != 'device']
  assert ran == [(['device'], 'thin', 600, 0), (others, 'thin', 600, 1)]
  said = capsys.readouterr().out
  assert 'failed: float32 (1 s)' in said
  assert f'{len(rows.ROWS) - 2} ok, 1 failed, 1 not possible here; on the CPU' in said
  assert f'Wrote {output}.' in said
  assert len(json.loads(output.read_text())['rows']) == len(rows.ROWS)


def test_some_rows_at_a_given_size(ran, tmp_path):
  arguments = ['--only=reference,dense', '--size=full', '--seconds=5']
  assert __main__.main([*arguments, f'--output={tmp_path / "check.json"}']) == 0
  assert ran == [(['device'], 'thin', 5, 0), (['reference', 'dense'], 'full', 5, 1)]


def test_a_gpu_gets_the_networks_of_the_paper(ran, tmp_path, monkeypatch):
  monkeypatch.setitem(STATUSES, 'device', rows.OK)
  assert __main__.main(['--only=dense', f'--output={tmp_path / "check.json"}']) == 0
  assert ran[-1][:2] == (['dense'], 'full')


def test_an_unknown_row_is_named(ran, capsys):
  with pytest.raises(SystemExit) as end:
    __main__.main(['--only=float64'])
  assert end.value.code == 2
  assert 'float64: expected some of device, reference' in capsys.readouterr().err
  assert not ran


def test_the_process_of_a_row_ends_with_its_parent(tmp_path):
  program = [sys.executable, '-m', 'benchmarks.gpu_check', '--output', str(tmp_path / 'x.json')]
  folder = str(tmp_path)
  with started(program, 120, env={**child_processes.environment(), 'TMPDIR': folder}) as process:
    children: list[str] = []
    while not children and process.poll() is None:
      time.sleep(0.1)
      children = _children(folder)
    assert children
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
  deadline = time.monotonic() + 20
  while _children(folder) and time.monotonic() < deadline:
    time.sleep(0.1)
  assert not _children(folder)


def _children(folder):
  """Numbers of the processes of rows whose files are below `folder`."""
  found = []
  for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
    with contextlib.suppress(OSError):
      arguments = path.read_bytes().decode(errors='replace').split('\0')
      if 'benchmarks.gpu_check.child' in arguments and any(a.startswith(folder) for a in arguments):
        found.append(path.parent.name)
  return found
