import pytest

from vgg_slim import wording


@pytest.mark.parametrize(
  ('number', 'noun', 'text'),
  [
    (1, 'class', '1 class'),
    (0, 'class', '0 classes'),
    (2, 'training image', '2 training images'),
    (1, 'training image', '1 training image'),
    (3, 'batch', '3 batches'),
    (2, 'entry', '2 entries'),
    (2, 'epoch', '2 epochs'),
    (2, 'day', '2 days'),
  ],
)
def test_nouns_follow_their_numbers(number, noun, text):
  assert wording.counted(number, noun) == text


def test_long_lists_end_with_the_number_of_the_others():
  assert wording.listed('abc') == 'a, b, c'
  assert wording.listed('abc', most=3) == 'a, b, c'
  assert wording.listed('abcd', most=2) == 'a, b and 2 more'
  assert wording.listed('abcd', most=2, separator='; ') == 'a; b; and 2 more'
  assert wording.listed('') == ''


def test_files_are_counted_by_extension():
  names = ['a.txt', 'b/c.TXT', 'Makefile', 'x.xml', 'x.tar.gz', '.hidden']
  assert wording.count_extensions(names) == '2 .txt, 2 without, 1 .gz, 1 .xml'
  assert wording.count_extensions([]) == ''


@pytest.mark.parametrize(
  ('name', 'text'),
  [
    ('猫 é 👩\u200d🚀.jpg', '猫 é 👩\u200d🚀.jpg'),
    ('two\nlines\t\x1b[31m.jpg', r'two\nlines\t\x1b[31m.jpg'),
    ('caf\udce9\u2028.jpg', r'caf\udce9\u2028.jpg'),
  ],
)
def test_names_stay_on_one_line(name, text):
  assert wording.printable(name) == text
