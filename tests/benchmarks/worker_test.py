import builtins
import io
import itertools
import json

import pytest

from vgg_slim.benchmarks import systems, worker
from vgg_slim.benchmarks.workload import Workload

LOAD = {'what': 'forward', 'model': 'vgg16', 'batch_size': 1, 'image_size': 32}


def serve(*requests):
  replies = io.StringIO()
  worker.serve([json.dumps(request) for request in requests], replies)
  return [json.loads(line) for line in replies.getvalue().splitlines()]


def test_runs_the_requested_number_of_batches(monkeypatch):
  calls = itertools.count()
  monkeypatch.setattr(worker, 'build_step', lambda name, load: lambda: next(calls))
  ready, none, three = serve('any', LOAD, 0, 3)
  assert ready == {'ready': True}
  assert none['seconds'] == []
  assert len(three['seconds']) == 3
  assert three['peak_bytes'] > 2**20
  assert next(calls) == 3


def test_replies_with_the_reason_why_it_cannot_run(monkeypatch):
  def fail(name, load):
    raise systems.NotMeasuredError(f'{name} cannot do {load.what}')

  monkeypatch.setattr(worker, 'build_step', fail)
  assert serve('any', LOAD, 3) == [{'absent': 'any cannot do forward'}]


@pytest.mark.parametrize(
  ('name', 'what'),
  [(name, what) for name, system in systems.SYSTEMS.items() for what in system.kinds],
)
def test_every_system_has_a_builder(name, what):
  assert callable(worker._builder(name, what))


def test_an_input_is_timed_as_a_stream(monkeypatch):
  calls = itertools.count()
  monkeypatch.setattr(worker, 'build_step', lambda name, load: lambda: next(calls))
  _, three = serve('any', {**LOAD, 'what': 'input'}, 3)
  assert len(set(three['seconds'])) == 1
  assert next(calls) > 3


def test_an_absent_library_is_named(monkeypatch):
  real = builtins.__import__

  def without_torch(name, *arguments, **kwargs):
    if name == 'torch':
      raise ModuleNotFoundError("No module named 'torch'", name='torch')
    return real(name, *arguments, **kwargs)

  monkeypatch.setattr(builtins, '__import__', without_torch)
  with pytest.raises(systems.NotMeasuredError, match='torch is not installed'):
    worker.build_step('torch', Workload(**LOAD))
