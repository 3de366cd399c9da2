import pytest

from vgg_slim.data import labels
from vgg_slim.errors import DataError

NAMES = ('T-shirt/top', 'a:b', ' été ')


def test_a_label_file_is_read_as_it_was_written(tmp_path):
  path = tmp_path / 'labels.txt'
  labels.write_labels(path, NAMES)
  assert path.read_bytes() == '0:T-shirt/top\n1:a:b\n2: été \n'.encode()
  assert labels.read_labels(path) == NAMES
  labels.check_labels(path, NAMES)


def test_all_unusable_names_are_listed(tmp_path):
  with pytest.raises(DataError) as caught:
    labels.write_labels(tmp_path / 'labels.txt', ['', 'a\nb', 'x', 'x', 'caf\udce9'])
  assert "'' is empty or has a line break" in str(caught.value)
  assert "'a\\nb' is empty or has a line break" in str(caught.value)
  assert "'x' occurs more than once" in str(caught.value)
  assert 'is not UTF-8' in str(caught.value)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('text', 'line', 'got'),
  [('0:a\n2:b\n', 2, "'2:b'"), ('cat\n', 1, "'cat'"), ('0:a\n1:\n', 2, "'1:'"), ('\n', 1, "''")],
)
def test_a_malformed_line_is_named(tmp_path, text, line, got):
  path = tmp_path / 'labels.txt'
  path.write_text(text)
  with pytest.raises(DataError, match=rf'labels\.txt, line {line}: expected .*NAME, got {got}'):
    labels.read_labels(path)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(DataError, match=r'labels\.txt cannot be read'):
    labels.read_labels(tmp_path / 'labels.txt')


def test_differences_name_line_actual_and_expected(tmp_path):
  path = tmp_path / 'labels.txt'
  path.write_text('0:cat\n1:cow\n')
  with pytest.raises(DataError) as caught:
    labels.check_labels(path, ('cat', 'dog', 'eel'))
  assert "line 2 is 'cow', expected 'dog'" in str(caught.value)
  assert 'it has 2 lines, expected 3' in str(caught.value)


def test_a_class_list_has_one_name_per_line_or_is_a_label_file(tmp_path):
  path = tmp_path / 'classes.txt'
  path.write_text('dog\ncat, tabby\n2:1 ratio\n')
  assert labels.read_class_list(path) == ('dog', 'cat, tabby', '2:1 ratio')
  labels.write_labels(path, ('dog', 'cat'))
  assert labels.read_class_list(path) == ('dog', 'cat')


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', 'at least two classes, one per line; it has 0'),
    ('dog\n', 'it has 1'),
    ('dog\ncat\ndog\n', "'dog' occurs more than once"),
    ('dog\n\ncat\n', "'' is empty"),
  ],
)
def test_unusable_class_lists_are_refused(tmp_path, text, message):
  path = tmp_path / 'classes.txt'
  path.write_text(text)
  with pytest.raises(DataError, match=f'classes.txt.*{message}'):
    labels.read_class_list(path)


@pytest.mark.parametrize(
  ('name', 'problem'),
  [('x' * 1001, r"'x{20}'... has 1001 characters"), ('\x1b[2J', r'\\x1b.*control a terminal')],
)
def test_names_that_would_flood_or_control_a_terminal_are_refused(name, problem):
  labels.check_class_names(['x' * 1000, 'ok'])
  with pytest.raises(DataError, match=problem):
    labels.check_class_names([name, 'ok'])
