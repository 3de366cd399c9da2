import dataclasses
import sys

import pytest

from vgg_slim.benchmarks import turns, worker
from vgg_slim.benchmarks.turns import Contestant
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.errors import BenchmarkError

LOAD = Workload('forward', 'vgg_a@4', 1, 32, num_classes=2, fc_units=4)


class FakeWorker:
  """Notes its calls; `absent` cannot start, and `late` only finds out when its turn comes."""

  log = []

  def __init__(self, contestant, module):
    self.name = contestant.system
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


def test_turns_are_even_and_warm_up_does_not_count(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  contestants = [Contestant(name, LOAD) for name in ('a', 'absent', 'b')]
  seen = []
  a, absent, b = turns.run_turns(contestants, 6, 4, 3, '', lambda *counts: seen.append(counts))
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
  assert seen[-1] == (6, 6)


def test_a_cold_start_is_a_process_a_batch(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  cold = dataclasses.replace(LOAD, what='cold_start')
  a, late = turns.run_turns([Contestant('a', cold), Contestant('late', cold)], 2, 4, 1, '')
  assert FakeWorker.log == [*[('a', 1), ('a', 'end')] * 2, ('late', 1), ('late', 'end')]
  assert len(a.seconds) == 2
  assert late.absent == 'not here either'


def test_a_conversion_is_not_warmed_up(monkeypatch):
  monkeypatch.setattr(turns, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'log', [])
  load = Workload('convert', 'vgg16', 10, 8)
  turns.run_turns([Contestant('a', load)], 2, 4, 1, '')
  assert FakeWorker.log == [('a', 0), ('a', 2), ('a', 'end')]


def test_processes_for_real():
  bfloat16 = dataclasses.replace(LOAD, precision='bfloat16')
  ours, onnx = turns.run_turns(
    [Contestant('vgg_slim', LOAD), Contestant('onnxruntime', bfloat16)], 2, 1, 2, worker.__name__
  )
  assert [len(turn) for turn in ours.turns] == [1, 1]
  assert all(second > 0 for second in ours.seconds)
  if sys.platform == 'linux':
    # TensorFlow alone takes more than 100 MB, and a thin network not much.
    assert 2**26 < ours.peak_bytes < 2**31
  assert 'bfloat16' in onnx.absent


def test_a_dead_process_is_named_with_its_last_words():
  with pytest.raises(BenchmarkError, match="caffe ended with code 1: .*KeyError: 'caffe'"):
    turns.run_turns([Contestant('caffe', LOAD)], 1, 0, 1, worker.__name__)
