import json
import sys
import types

import pytest

from benchmarks.gpu_check import child, rows
from benchmarks.gpu_check.rows import NotPossibleError, Row, WrongResultError
from vgg_slim.errors import ConfigError


def fails_with(error):
  def run(check):
    raise error

  return run


CHECKS = {
  'works': lambda check: {'where': 'GPU', 'reason': check.size_name, 'number': 1.5},
  'cannot': fails_with(NotPossibleError('no card')),
  'is_wrong': fails_with(WrongResultError('off by 2')),
  'is_refused': fails_with(ConfigError('no such flag.')),
  'breaks': fails_with(ZeroDivisionError('by\nzero')),
}


@pytest.fixture(autouse=True)
def checks(monkeypatch):
  monkeypatch.setitem(sys.modules, 'fake_checks', types.SimpleNamespace(**CHECKS))
  fakes = {name: Row(name, '', f'fake_checks:{name}') for name in CHECKS}
  monkeypatch.setattr(rows, 'BY_NAME', fakes)


@pytest.mark.parametrize(
  ('name', 'status', 'where', 'reason', 'values'),
  [
    ('works', rows.OK, 'GPU', 'thin', {'number': 1.5}),
    ('cannot', rows.NOT_POSSIBLE, '', 'no card', {}),
    ('is_wrong', rows.FAILED, '', 'off by 2', {}),
    ('is_refused', rows.FAILED, '', 'no such flag.', {}),
    ('breaks', rows.FAILED, '', 'ZeroDivisionError: by zero', {}),
  ],
)
def test_every_end_of_a_check_is_an_answer(tmp_path, name, status, where, reason, values):
  child.main(name, 'thin', str(tmp_path))
  assert json.loads((tmp_path / f'{name}.json').read_text()) == {
    'status': status,
    'where': where,
    'reason': reason,
    'values': values,
  }
