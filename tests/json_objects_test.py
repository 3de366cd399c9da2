import re

import pytest

from vgg_slim import json_objects


def test_an_object_is_read_with_its_types(tmp_path):
  path = tmp_path / 'a.json'
  path.write_text('{"a": [1, 2.5, null, true], "\\u00e9": {"b": -9223372036854775807}}')
  assert json_objects.read(path) == {'a': [1, 2.5, None, True], 'é': {'b': -9223372036854775807}}


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('{"a": 1', "not JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
    ('[1]', 'the top level must be an object, got list'),
    ('{"a": ' + '[' * 100_000, 'not JSON of ours: nested too deeply'),
    ('{"a": 9223372036854775808}', 'the integer 9223372036854775808... does not fit into 64 bits'),
    ('{"a": -' + '9' * 5000 + '}', 'the integer -9999999999999999999... does not fit into 64 bits'),
    ('{"a": 1e400}', 'the number 1e400 is not finite'),
    ('{"b": {"a": 1, "c": 2, "a": 5}}', "'a' occurs more than once"),
    ('{"a": NaN}', 'NaN is not a number of JSON'),
  ],
)
def test_an_error_has_one_line_and_says_what_came(text, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    json_objects.parse(text)


def test_a_file_of_gigabytes_is_not_read(tmp_path):
  path = tmp_path / 'a.json'
  with path.open('wb') as stream:
    stream.truncate(json_objects.MAX_BYTES + 1)  # sparse: it takes no space
  with pytest.raises(ValueError, match='the file has 67108865 bytes, more than 67108864'):
    json_objects.read(path)


def test_bytes_that_are_not_utf_8_are_an_error(tmp_path):
  path = tmp_path / 'a.json'
  path.write_bytes(b'{"a": "\xff"}')
  with pytest.raises(ValueError, match='utf-8'):
    json_objects.read(path)
