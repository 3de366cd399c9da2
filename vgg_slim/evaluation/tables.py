"""Scored checkpoints as the VGG paper's Tables 3 to 6 (arXiv:1409.1556). No TensorFlow."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.evaluation import results, significance, views
from vgg_slim.evaluation.results import Line, ScoredCheckpoint

HEADINGS = (
  'network',
  'S',
  'Q',
  'view',
  'views per image',
  'images',
  'top-1 accuracy',
  'balanced accuracy',
  'macro F1',
  'top-1 error',
  '95 % interval',
  'top-5 error',
  '95 % interval',
  'images/s',
)
_TOP_5 = HEADINGS.index('top-5 error')
TOP_5_COLUMNS = (_TOP_5, _TOP_5 + 1)  # with its interval


class Table(NamedTuple):
  """A table of results.

  Attributes:
    paper: number of the table in the paper that has this layout.
    title: title of the table.
    lines: lines of the table, at least one.
  """

  paper: int
  title: str
  lines: list[Line]


class Comparison(NamedTuple):
  """Two lines that differ in either the network or the view, and their test."""

  first: Line
  second: Line
  test: significance.McNemar


def make_tables(scored: Sequence[ScoredCheckpoint]) -> list[Table]:
  """Averages scores into tables in the order of the paper; the last line averages the most views.

  Table 3 has one line per test scale, Table 4 averages the scales, Table 5 compares dense
  evaluation with crops, and Table 6 fuses the networks. Tables that would only repeat another are
  left out.

  Args:
    scored: one or more checkpoints, scored on the same split with the same views.

  Raises:
    DataError: see `results.combine`.
  """
  names = scored[-1].config.views
  single = views.WHOLE if views.WHOLE in views.all_parts(names) else names[0]
  has_scales = any(len(one.config.test_scales) > 1 for one in scored)
  tables = []
  if has_scales or len(names) == 1:
    lines = [results.combine([s], single, [q]) for s in scored for q in s.config.test_scales]
    tables.append(Table(3, 'One test scale', lines))
  if has_scales:
    lines = [results.combine([one], single) for one in scored]
    tables.append(Table(4, 'Several test scales', lines))
  if len(names) > 1:
    lines = [results.combine([one], name) for one in scored for name in names]
    tables.append(Table(5, 'Views', lines))
  if len(scored) > 1:
    lines = [results.combine(scored, name) for name in names]
    tables.append(Table(6, 'Networks fused', lines))
  return tables


def cells(result: results.EvalResult) -> tuple[str, ...]:
  """Formats a result as one cell per heading of HEADINGS."""
  return (
    result.model,
    result.train_scale,
    ', '.join(map(str, result.test_scales)),
    result.view,
    f'{result.num_views}',
    f'{result.num_images}',
    f'{result.top_1_accuracy:.2%}',
    f'{result.balanced_accuracy:.2%}',
    f'{result.macro_f1:.3f}',
    f'{result.top_1_error:.2%}',
    _interval(result.top_1_interval),
    f'{result.top_5_error:.2%}',
    _interval(result.top_5_interval),
    _rate(result.images_per_second),
  )


def has_top_5(num_classes: int) -> bool:
  """Whether the top-5 error can be above 0."""
  return num_classes > 5


def _rate(rate: float) -> str:
  return f'{rate:.0f}' if rate >= 100 else f'{rate:.3g}'


def is_balanced(result: results.EvalResult) -> bool:
  """Whether the balanced accuracy is the accuracy, as written in a table."""
  return f'{result.balanced_accuracy:.2%}' == f'{result.top_1_accuracy:.2%}'


def _interval(bounds: tuple[float, float]) -> str:
  low, high = bounds
  return f'{low:.2%} - {high:.2%}'


def describe(comparison: Comparison) -> tuple[str, str]:
  """Names of both lines: network, S and view, or their checkpoints where these are the same."""
  first, second = comparison.first.result, comparison.second.result
  a, b = (f'{r.model}, S={r.train_scale}, {r.view}' for r in (first, second))
  return (a, b) if a != b else (first.checkpoint, second.checkpoint)


def compare(scored: Sequence[ScoredCheckpoint]) -> list[Comparison]:
  """Tests every pair of checkpoints in the same view, and every pair of views of a checkpoint."""
  names = scored[-1].config.views
  lines = {(i, v): results.combine([one], v) for i, one in enumerate(scored) for v in names}
  return [
    Comparison(lines[a], lines[b], significance.mcnemar(lines[a].hits, lines[b].hits))
    for a, b in itertools.combinations(lines, 2)
    if (a[0] == b[0]) != (a[1] == b[1])
  ]
