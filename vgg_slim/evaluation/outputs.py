"""Output files of an evaluation: JSON, CSV with one row per image and view, HTML report."""

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
  """Writes the results of the last line as JSON, then those of every table and McNemar test."""

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
  stream: BinaryIO, lines: Sequence[Line], class_names: Sequence[str], shards: Sequence[str]
) -> None:
  """Writes `per_image.to_csv` of the lines of a table, which differ in their view.

  Args:
    stream: output file, opened by `output_files.open_outputs`.
    lines: results to write, at least one.
    class_names: class names of the network, in the order of its scores.
    shards: paths of the shards of the split, in order.

  Raises:
    DataError: a shard cannot be read.
  """
  names = [name for name, _ in records.read_examples(shards)]
  views = ((line.result.view, line.probabilities()) for line in lines)
  labels, precision = lines[0].labels, lines[0].result.precision
  stream.write(per_image.to_csv(names, labels, views, class_names, precision).encode())


def write_report(
  stream: BinaryIO,
  shown: Sequence[tables.Table],
  comparisons: Sequence[tables.Comparison],
  classes: ClassMap,
  shards: Sequence[str],
) -> None:
  """Writes `report.render_report`; see there and `write_csv` for arguments and errors."""
  from vgg_slim.evaluation import report  # imports matplotlib

  def read(indices: Sequence[int]) -> list[tuple[str, bytes]]:
    return read_images(shards, indices)

  stream.write(report.render_report(shown, comparisons, classes, read).encode())


def read_images(shards: Sequence[str], indices: Sequence[int]) -> list[tuple[str, bytes]]:
  """Reads names and encoded images by their indices in a split; raises as `write_csv` does."""
  wanted = set(map(int, indices))
  examples: dict[int, tuple[str, bytes]] = {}
  for index, example in enumerate(records.read_examples(shards)):
    if len(examples) == len(wanted):
      break
    if index in wanted:
      examples[index] = example
  return [examples[int(index)] for index in indices]
