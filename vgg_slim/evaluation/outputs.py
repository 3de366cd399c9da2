"""Files that an evaluation leaves: JSON, a row for every picture, a web page."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from vgg_slim import files
from vgg_slim.data import records
from vgg_slim.evaluation import per_image, tables
from vgg_slim.evaluation.results import Line


def write_json(
  path: str, shown: Sequence[tables.Table], comparisons: Sequence[tables.Comparison]
) -> None:
  """Writes the numbers of the last line, then those of every table and test."""

  def fields(line: Line) -> dict[str, object]:
    return dataclasses.asdict(line.result)

  values = {
    **fields(shown[-1].lines[-1]),
    'tables': [
      {'paper': one.paper, 'title': one.title, 'lines': [fields(line) for line in one.lines]}
      for one in shown
    ],
    'mcnemar': [
      {'first': fields(one.first), 'second': fields(one.second), **one.test._asdict()}
      for one in comparisons
    ],
  }
  files.write_text(pathlib.Path(path), json.dumps(values, indent=2) + '\n')


def write_csv(path: str, line: Line, class_names: Sequence[str], shards: Sequence[str]) -> None:
  """Writes `per_image.to_csv` of a line.

  Args:
    path: of the file.
    line: what to write.
    class_names: in the order of the labels.
    shards: of the split, in order.

  Raises:
    DataError: a shard cannot be read.
  """
  names = (name for name, _ in records.read_examples(shards))
  text = per_image.to_csv(names, line.labels, line.probabilities(), class_names)
  files.write_text(pathlib.Path(path), text)


def write_report(
  path: str,
  shown: Sequence[tables.Table],
  comparisons: Sequence[tables.Comparison],
  class_names: Sequence[str],
  shards: Sequence[str],
) -> None:
  """Writes `report.render_report`; arguments and errors as there and in `write_csv`."""
  from vgg_slim.evaluation import report  # matplotlib, for this file only

  def read(indices: Sequence[int]) -> list[tuple[str, bytes]]:
    return read_pictures(shards, indices)

  text = report.render_report(shown, comparisons, class_names, read)
  files.write_text(pathlib.Path(path), text)


def read_pictures(shards: Sequence[str], indices: Sequence[int]) -> list[tuple[str, bytes]]:
  """Names and encoded pictures at some places of a split; errors as `write_csv`."""
  wanted = set(map(int, indices))
  found = {}
  for index, example in enumerate(records.read_examples(shards)):
    if len(found) == len(wanted):
      break
    if index in wanted:
      found[index] = example
  return [found[int(index)] for index in indices]
