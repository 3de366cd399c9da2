import json

from vgg_slim import processor
from vgg_slim.benchmarks import machine
from vgg_slim.processor import Activity


def test_text_and_values_by_hand():
  before, after = Activity(0.5, 10.0, 100.0), Activity(2.25, 10.5, 120.0)
  described = machine.Machine('A Processor', 2, ('avx2', 'amx_bf16'), before, after)
  assert str(described) == (
    'Machine: A Processor, 2 cores, avx2 amx_bf16; load average 0.50 before and 2.25 after; '
    '2.5% of the processor time stolen by other virtual machines.'
  )
  values = json.loads(json.dumps(described.values()))
  assert values['instruction_sets'] == ['avx2', 'amx_bf16']
  assert values['before'] == {'load_average': 0.5, 'steal_seconds': 10.0, 'total_seconds': 100.0}
  assert values['stolen'] == 0.025


def test_what_the_system_does_not_report_is_left_out():
  unknown = Activity(None, None, None)
  assert str(machine.Machine('arm', 1, (), unknown, unknown)) == 'Machine: arm, 1 core.'


def test_this_machine_is_described(monkeypatch):
  monkeypatch.setattr(processor, 'flags', lambda: frozenset({'avx2', 'amx_bf16', 'vmx'}))
  monkeypatch.setattr(processor, 'model', lambda: 'A Processor')
  before = Activity(0.0, 0.0, 0.0)
  described = machine.observe(before)
  assert described.instruction_sets == ('avx2', 'amx_bf16')
  assert (described.processor, described.before) == ('A Processor', before)
  assert described.cores >= 1
