from tests.joins import covering

AXES = {'a': (1, 2, 3), 'b': ('x', 'y'), 'c': (True, False), 'd': (1, 2, 3, 4)}


def test_every_pair_is_in_some_row():
  rows = covering.cover_pairs(AXES, lambda row: True, seed=0)

  pairs = {
    ((a, row[a]), (b, row[b]))
    for row in rows
    for i, a in enumerate(AXES)
    for b in list(AXES)[i + 1 :]
  }
  assert len(pairs) == 3 * 2 + 3 * 2 + 3 * 4 + 2 * 2 + 2 * 4 + 2 * 4
  # The pairs of a and d need twelve rows; there are 48 combinations in total.
  assert 12 <= len(rows) <= 18


def test_the_same_seed_gives_the_same_rows():
  first, second = (covering.cover_pairs(AXES, lambda row: True, seed) for seed in (5, 5))

  assert first == second


def test_a_pair_that_is_in_no_possible_row_is_reported():
  rows = covering.cover_pairs(AXES, lambda row: (row['a'], row['b']) != (1, 'x'), seed=0)

  assert covering.missing_pairs(AXES, rows) == {(('a', 1), ('b', 'x'))}
