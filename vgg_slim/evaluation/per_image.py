"""A row for every picture: what it is and what the network says. No TensorFlow."""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from vgg_slim.evaluation import predictions

TOP = 5


def to_csv(
  names: Iterable[str], labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> str:
  """CSV with a heading: picture, label, and the most probable classes with their probabilities.

  Args:
    names: of the N pictures.
    labels: int [N].
    probabilities: float [N, K].
    class_names: in the order of the labels.
  """
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  ranks = range(1, min(TOP, len(class_names)) + 1)
  heads = [f'{column}_{i}' for i in ranks for column in ('class', 'probability')]
  writer.writerow(['file', 'label', *heads])
  for name, label, row in zip(names, labels, probabilities, strict=True):
    best = predictions.top_classes(row, class_names, TOP)
    cells = [cell for one in best for cell in (one.class_name, f'{one.probability:.6f}')]
    writer.writerow([name, class_names[label], *cells])
  return text.getvalue()
