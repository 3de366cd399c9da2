"""CSV with one row per image: its label and its predictions. No TensorFlow."""

from collections.abc import Iterable, Sequence

import numpy as np

from vgg_slim import csv_text
from vgg_slim.evaluation import predictions

TOP = 5


def to_csv(
  names: Iterable[str], labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> str:
  """CSV with a header: file, label, and the most probable classes with their probabilities.

  Args:
    names: names of the N images.
    labels: class indices, int [N].
    probabilities: class probabilities, float [N, K].
    class_names: K class names, in the order of the labels.
  """
  ranks = range(1, min(TOP, len(class_names)) + 1)
  columns = [f'{column}_{i}' for i in ranks for column in ('class', 'probability')]
  rows = [['file', 'label', *columns]]
  for name, label, row in zip(names, labels, probabilities, strict=True):
    top = predictions.top_classes(row, class_names, TOP)
    cells = [cell for score in top for cell in (score.class_name, f'{score.probability:.6f}')]
    rows.append([name, class_names[label], *cells])
  return csv_text.format_rows(rows)
