"""Files that an evaluation leaves: JSON, a row for every picture, a web page."""

import dataclasses
import json
from collections.abc import Sequence
from typing import BinaryIO

from vgg_slim.data import records
from vgg_slim.evaluation import per_image, tables
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.evaluation.results import Line


def write_json(
  stream: BinaryIO, shown: Sequence[tables.Table], comparisons: Sequence[tables.Comparison]
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
  stream.write(f'{json.dumps(values, indent=2, allow_nan=False)}\n'.encode())


def write_csv(
  stream: BinaryIO, line: Line, class_names: Sequence[str], shards: Sequence[str]
) -> None:
  """Writes `per_image.to_csv` of a line.

  Args:
    stream: the file, opened by `output_files.open_outputs`.
    line: what to write.
    class_names: of the network, in the order of its scores.
    shards: of the split, in order.

  Raises:
    DataError: a shard cannot be read.
  """
  names = (name for name, _ in records.read_examples(shards))
  stream.write(per_image.to_csv(names, line.labels, line.probabilities(), class_names).encode())


def write_report(
  stream: BinaryIO,
  shown: Sequence[tables.Table],
  comparisons: Sequence[tables.Comparison],
  classes: ClassMap,
  shards: Sequence[str],
) -> None:
  """Writes `report.render_report`; arguments and errors as there and in `write_csv`."""
  from vgg_slim.evaluation import report  # matplotlib, for this file only

  def read(indices: Sequence[int]) -> list[tuple[str, bytes]]:
    return read_pictures(shards, indices)

  stream.write(report.render_report(shown, comparisons, classes, read).encode())


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
