import importlib

import pytest

from benchmarks.gpu_check import rows


def test_names_are_unique_and_the_device_comes_first():
  assert len(rows.BY_NAME) == len(rows.ROWS)
  assert [row.name for row in rows.ROWS[:2]] == ['device', rows.REFERENCE]


@pytest.mark.parametrize('row', rows.ROWS, ids=lambda row: row.name)
def test_every_row_has_a_function_and_a_limit(row):
  module, _, function = row.function.partition(':')
  assert callable(getattr(importlib.import_module(module), function))
  assert 10 <= row.seconds <= 150


def test_the_reference_sees_no_gpu():
  assert rows.BY_NAME[rows.REFERENCE].environment == {'CUDA_VISIBLE_DEVICES': '-1'}
