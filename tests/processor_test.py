import os

import pytest

from vgg_slim import processor
from vgg_slim.processor import Activity

CPUINFO = """processor\t: 0
model name\t: A Processor @ 2.00GHz
flags\t\t: fpu avx avx2
vmx flags\t: other

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""


def write_proc(root, **files):
  (root / 'proc').mkdir()
  for name, text in files.items():
    (root / 'proc' / name).write_text(text)
  return root


def test_name_and_flags_are_those_of_the_first_processor(tmp_path):
  root = write_proc(tmp_path, cpuinfo=CPUINFO)
  assert processor.model(root) == 'A Processor @ 2.00GHz'
  assert processor.flags(root) == {'fpu', 'avx', 'avx2'}


@pytest.mark.parametrize(
  ('flags', 'kind'),
  [
    ('avx', None),
    ('avx avx2', 'avx2'),
    ('avx2 avx512f', 'avx512'),
    ('avx512_bf16 avx2 avx512f', 'avx512_bf16'),
    ('amx_bf16 avx2 avx512f avx512_bf16', 'amx_bf16'),
  ],
)
def test_the_kind_is_the_last_whose_flag_is_listed(tmp_path, flags, kind):
  root = write_proc(tmp_path, cpuinfo=f'flags\t\t: fpu {flags}\n')
  assert processor.kind(root) == kind
  assert kind is None or kind in processor.KINDS


@pytest.mark.parametrize(
  ('flags', 'expected'),
  [('avx avx2 avx512f', False), ('avx amx_bf16', True), ('avx512_bf16', True)],
)
def test_instructions_for_bfloat16(tmp_path, flags, expected):
  assert processor.has_bfloat16(write_proc(tmp_path, cpuinfo=f'flags : {flags}\n')) == expected
  assert not processor.has_bfloat16(tmp_path / 'nothing')


def test_activity_by_hand(tmp_path):
  ticks = os.sysconf('SC_CLK_TCK')
  # user nice system idle iowait irq softirq steal guest guest_nice; the guests' time is part of
  # user and nice.
  times = [10, 1, 2, 50, 3, 4, 5, 25, 7, 1]
  line = ' '.join(str(time * ticks) for time in times)
  stat, load = f'cpu  {line}\ncpu0 1 2 3\n', '1.50 0.75 0.25 1/100 1234\n'
  root = write_proc(tmp_path, stat=stat, loadavg=load)
  assert processor.activity(root) == Activity(1.5, 25.0, 100.0)


def test_an_unknown_system_reports_nothing(tmp_path):
  assert processor.model(tmp_path) is None
  assert processor.flags(tmp_path) is None
  assert processor.kind(tmp_path) is None
  assert processor.activity(tmp_path) == Activity(None, None, None)
  old_kernel = write_proc(tmp_path, stat='cpu  1 2 3 4\n', loadavg='')
  assert processor.activity(old_kernel) == Activity(None, None, None)


def test_the_stolen_share_is_that_of_the_time_in_between():
  before = Activity(0.0, 5.0, 100.0)
  assert Activity(0.0, 7.0, 110.0).stolen_since(before) == pytest.approx(0.2)
  assert before.stolen_since(before) == 0
  assert Activity(0.0, None, None).stolen_since(before) is None
