"""Pairwise covering samples: few rows in which every two values of two axes meet."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Pair = tuple[tuple[str, Any], tuple[str, Any]]

_CANDIDATES = 60  # random rows tried for each row taken; more gives hardly fewer rows


def cover_pairs(
  axes: Mapping[str, Sequence[Any]], is_possible: Callable[[Row], bool], seed: int
) -> list[Row]:
  """Rows of one value per axis that together hold every possible pair of values.

  Args:
    axes: The values of each axis, by its name.
    is_possible: Whether a row makes sense. A pair that no tried row can hold is left out, see
      `missing_pairs`.
    seed: Seed of the sample; the same seed gives the same rows.

  Returns:
    The rows, greedily chosen: each is the one of several random rows with the most new pairs.
  """
  draw = random.Random(seed)
  rows, missing = [], all_pairs(axes)
  while missing:
    in_order = sorted(missing, key=repr)  # a set's own order differs from process to process
    # Each candidate starts from a pair that is still missing, so that every round makes progress.
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
  """Every two values of two different axes, each axis in the order of `axes`."""
  return {
    ((a, x), (b, y)) for a, b in itertools.combinations(axes, 2) for x in axes[a] for y in axes[b]
  }


def pairs_of(row: Row) -> set[Pair]:
  """The pairs that a row holds, as `all_pairs` writes them."""
  return set(itertools.combinations(row.items(), 2))


def missing_pairs(axes: Mapping[str, Sequence[Any]], rows: Sequence[Row]) -> set[Pair]:
  """The pairs that are in no row."""
  return all_pairs(axes).difference(*map(pairs_of, rows))
