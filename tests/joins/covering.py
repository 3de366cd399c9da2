"""Pairwise covering samples: few rows that contain every pair of values of any two axes."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Pair = tuple[tuple[str, Any], tuple[str, Any]]

_CANDIDATES = 60  # random rows tried for each row; more would hardly reduce the number of rows


def cover_pairs(
  axes: Mapping[str, Sequence[Any]], is_possible: Callable[[Row], bool], seed: int
) -> list[Row]:
  """Returns rows of one value per axis that together contain every possible pair of values.

  Args:
    axes: values of each axis by its name.
    is_possible: whether a row is valid. A pair that is in none of the rows tried is left out, see
      `missing_pairs`.
    seed: seed of the sample; the same seed gives the same rows.

  Returns:
    The rows, chosen greedily: each is the one with the most new pairs of several random rows.
  """
  draw = random.Random(seed)
  rows: list[Row] = []
  missing = all_pairs(axes)
  while missing:
    in_order = sorted(missing, key=repr)  # the order of a set differs between processes
    # Each candidate contains a pair that is still missing, so that every round makes progress.
    candidates = []
    for _ in range(_CANDIDATES):
      row = {name: draw.choice(values) for name, values in axes.items()}
      row.update(draw.choice(in_order))
      if is_possible(row):
        candidates.append(row)
    if not candidates:
      return rows
    best = max(candidates, key=lambda row: len(missing & pairs_of(row)))
    rows.append(best)
    missing -= pairs_of(best)
  return rows


def all_pairs(axes: Mapping[str, Sequence[Any]]) -> set[Pair]:
  """Returns all pairs of values of two different axes, which are in the order of `axes`."""
  return {
    ((a, x), (b, y)) for a, b in itertools.combinations(axes, 2) for x in axes[a] for y in axes[b]
  }


def pairs_of(row: Row) -> set[Pair]:
  """Returns the pairs in a row, in the form of `all_pairs`."""
  return set(itertools.combinations(row.items(), 2))


def missing_pairs(axes: Mapping[str, Sequence[Any]], rows: Sequence[Row]) -> set[Pair]:
  """Returns the pairs that are in none of the rows."""
  return all_pairs(axes).difference(*map(pairs_of, rows))
