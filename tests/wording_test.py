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
