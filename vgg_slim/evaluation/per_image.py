"""CSV with one row per image and view: its label and its predictions. No TensorFlow."""

from collections.abc import Iterable, Sequence

import numpy as np

from vgg_slim import csv_text
from vgg_slim.evaluation import predictions

TOP = 5


def to_csv(
  names: Sequence[str],
  labels: np.ndarray,
  views: Iterable[tuple[str, np.ndarray]],
  class_names: Sequence[str],
  precision: str,
) -> str:
  """CSV with a header: file, label, view, the most probable classes with probabilities, precision.

  Args:
    names: names of the N images.
    labels: class indices, int [N].
    views: name of each view and its class probabilities, float [N, K]; all rows of one view come
      before those of the next.
    class_names: K class names, in the order of the labels.
    precision: precision in which the probabilities were computed, the same in each row.
  """
  columns = predictions.csv_columns(min(TOP, len(class_names)))
  rows: list[list[object]] = [['file', 'label', 'view', *columns, 'precision']]
  for view, probabilities in views:
    for name, label, row in zip(names, labels, probabilities, strict=True):
      top = predictions.top_classes(row, class_names, TOP)
      rows.append([name, class_names[label], view, *predictions.csv_cells(top), precision])
  return csv_text.format_rows(rows)
