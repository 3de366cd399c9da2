import dataclasses
import sys

import pytest

from vgg_slim.benchmarks import turns, worker
from vgg_slim.benchmarks.turns import Case
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.errors import BenchmarkError

LOAD = Workload('forward', 'vgg_a@4', 1, 32, num_classes=2, fc_units=4)


class FakeWorker:
  """Records its calls; `absent` cannot start, and `late` fails only when its turn comes."""

  log: list[tuple] = []

  def __init__(self, case, module):
    self.name = case.system
    if self.name == 'absent':
      raise turns.AbsentError('not here')

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    self.log.append((self.name, 'end'))

  def run(self, num_batches):
    self.log.append((self.name, num_batches))
    if self.name == 'late' and num_batches:
      raise turns.AbsentError('not here either')
    return [1.0] * num_batches, 7


def test_turns_are_equal_and_warmup_does_not_count(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  cases = [Case(name, LOAD) for name in ('a', 'absent', 'b')]
  progress = []
  a, absent, b = turns.run_turns(cases, 6, 4, 3, '', lambda *counts: progress.append(counts))
  assert FakeWorker.log == [
    ('a', 4),
    ('b', 4),
    *[('a', 2), ('b', 2)] * 3,
    ('b', 'end'),
    ('a', 'end'),
  ]
  assert a.turns == b.turns == [[1.0, 1.0]] * 3
  assert a.peak_bytes == 7
  assert absent.absent == 'not here'
  assert absent.turns == []
  assert progress[-1] == (6, 6)


def test_a_cold_start_runs_one_process_per_batch(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  cold = dataclasses.replace(LOAD, what='cold_start')
  a, late = turns.run_turns([Case('a', cold), Case('late', cold)], 2, 4, 1, '')
  assert FakeWorker.log == [*[('a', 1), ('a', 'end')] * 2, ('late', 1), ('late', 'end')]
  assert len(a.seconds) == 2
  assert late.absent == 'not here either'


def test_a_conversion_is_not_warmed_up(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  load = Workload('convert', 'vgg16', 10, 8)
  turns.run_turns([Case('a', load)], 2, 4, 1, '')
  assert FakeWorker.log == [('a', 0), ('a', 2), ('a', 'end')]


def test_real_worker_processes():
  bfloat16 = dataclasses.replace(LOAD, precision='bfloat16')
  ours, onnx = turns.run_turns(
    [Case('vgg_slim', LOAD), Case('onnxruntime', bfloat16)], 2, 1, 2, worker.__name__
  )
  assert [len(turn) for turn in ours.turns] == [1, 1]
  assert all(second > 0 for second in ours.seconds)
  if sys.platform == 'linux':
    # TensorFlow alone takes more than 100 MB, and a thin network little more.
    assert 2**26 < ours.peak_bytes < 2**31
  assert 'bfloat16' in onnx.absent


def test_a_dead_process_is_reported_with_its_last_lines():
  with pytest.raises(BenchmarkError, match="caffe ended with code 1: .*KeyError: 'caffe'"):
    turns.run_turns([Case('caffe', LOAD)], 1, 0, 1, worker.__name__)
