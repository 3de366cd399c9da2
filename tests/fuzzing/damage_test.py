import json
import random

from tests.fuzzing import damage

CONTENT = json.dumps({'a': [1, 2], 'b': {'c': 'd'}}).encode()


def damages(how, content=CONTENT):
  return [how(content, random.Random(f'0/{i}')) for i in range(200)]


def test_damage_is_the_same_for_the_same_number_and_differs_from_the_honest_file():
  for how in (damage.of_bytes, damage.of_json):
    assert damages(how) == damages(how)
    assert len(set(damages(how)) - {CONTENT}) > 150


def test_values_of_json_are_changed_and_not_only_its_bytes():
  def is_json(content):
    try:
      json.loads(content)
    except (ValueError, RecursionError):
      return False
    return True

  assert (
    sum(map(is_json, damages(damage.of_json))) > 100 > sum(map(is_json, damages(damage.of_bytes)))
  )


def test_either_takes_each_of_several():
  how = damage.either(lambda *_: b'x', lambda *_: b'y')
  assert set(damages(how)) == {b'x', b'y'}
