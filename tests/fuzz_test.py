import json
import random

import pytest

from tests import fuzz
from vgg_slim.errors import DataError

EXECUTIONS = range(200)  # `make fuzz` runs 20,000
NAMES = ('manifest', 'contract', 'config', 'features.json', 'features', 'metrics', 'checkpoint')


@pytest.fixture(scope='module')
def readers(tmp_path_factory):
  return fuzz.make_readers(tmp_path_factory.mktemp('fuzz'))


def test_every_reader_is_here(readers):
  assert set(readers) == set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_a_damaged_file_is_read_or_refused(readers, name):
  result = fuzz.fuzz(readers[name], EXECUTIONS, seed=0)
  assert not result.faults
  assert sum(result.outcomes.values()) == len(EXECUTIONS)


def test_damage_is_the_same_for_the_same_number_and_differs_from_the_honest_file():
  content = json.dumps({'a': [1, 2], 'b': {'c': 'd'}}).encode()
  damages = [fuzz.damage(content, True, random.Random(f'0/{i}')) for i in range(200)]
  assert damages == [fuzz.damage(content, True, random.Random(f'0/{i}')) for i in range(200)]
  assert len(set(damages) - {content}) > 150


def refuse():
  raise DataError('no')


def fail():
  raise KeyError('x')


def allocate():
  return bytearray(8 << 30)


@pytest.mark.parametrize(
  ('read', 'outcome', 'fault'),
  [
    (refuse, 'refused', None),
    (lambda: None, 'read', None),
    (fail, 'fault', 'KeyError'),
    (allocate, 'fault', 'MemoryError'),
  ],
)
def test_only_other_errors_count_as_faults(tmp_path, read, outcome, fault):
  path = tmp_path / 'file'
  path.write_bytes(b'honest')
  result = fuzz.fuzz(fuzz.Reader(path, read), range(1), seed=0)
  assert list(result.outcomes) == [outcome]
  assert [text.partition(' ')[0] for text in result.faults.values()] == [fault] * bool(fault)
  assert path.read_bytes() == b'honest'
