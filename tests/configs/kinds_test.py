from typing import NamedTuple

import pytest

from vgg_slim.configs import kinds


class Row(NamedTuple):
  settings: tuple[str, ...]


TABLE = {'a': Row(('x', 'y')), 'b': Row(()), 'c': Row(('x',)), 'd': Row(('z', 'x'))}


@pytest.mark.parametrize(('setting', 'phrase'), [('x', 'a, c and d'), ('y', 'a'), ('z', 'd')])
def test_the_kinds_that_read_a_setting_in_the_order_of_the_table(setting, phrase):
  assert kinds.users(TABLE, setting) == phrase
