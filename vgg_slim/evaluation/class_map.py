"""Which class of a network each class of a data set is. No TensorFlow."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import DataError

_SHOWN = 4  # pairs, in a line for people


class ClassMap(NamedTuple):
  """The classes of a data set among those of a network.

  Attributes:
    names: of all classes of the network, in the order of its scores.
    labels: int64 [C], the network's class for each label of the data set.
  """

  names: tuple[str, ...]
  labels: np.ndarray

  @property
  def data_names(self) -> tuple[str, ...]:
    """Names of the classes of the data set, in the order of its labels."""
    return tuple(self.names[label] for label in self.labels)

  def to_network(self, labels: np.ndarray) -> np.ndarray:
    """The network's classes, int64 [N], for labels of the data set, int [N].

    Raises:
      DataError: a label beyond the classes of the data set.
    """
    if labels.min() < 0 or labels.max() >= len(self.labels):
      raise DataError(
        f'A label lies outside 0 .. {len(self.labels) - 1}: {sorted(set(labels.tolist()))}.'
      )
    return self.labels[labels]

  @property
  def is_identity(self) -> bool:
    """Whether both have the same classes in the same order."""
    return np.array_equal(self.labels, np.arange(len(self.names)))

  def describe(self, data_dir: str) -> str:
    """One line for people that says what is mapped to what."""
    pairs = [f'{i} is {label} ({self.names[label]})' for i, label in enumerate(self.labels)]
    return (
      f'{data_dir} has {len(self.labels)} of the {len(self.names)} classes of the network, found '
      f'by name: label {_first(pairs)}.'
    )


def map_classes(
  network_names: Sequence[str] | None, num_classes: int, data_names: Sequence[str], data_dir: str
) -> ClassMap:
  """Finds each class of a data set among those of a network, by its name.

  Args:
    network_names: in the order of the scores; None where nobody gave them, and labels are then
      taken as they are.
    num_classes: of the network.
    data_names: in the order of the labels.
    data_dir: for the message.

  Raises:
    DataError: a class is not among those of the network (all are named), or a network without class
      names has another number of classes.
  """
  if network_names is None:
    if len(data_names) != num_classes:
      raise DataError(
        f'{data_dir} has {len(data_names)} classes and the network {num_classes}, whose checkpoint '
        'does not name them: import it again with tools/import_weights --labels.'
      )
    return ClassMap(tuple(data_names), np.arange(num_classes))
  place = {name: i for i, name in enumerate(network_names)}
  unknown = [name for name in data_names if name not in place]
  if unknown:
    raise DataError(
      f'{data_dir} has {len(data_names)} classes, and the network was not trained on '
      f'{len(unknown)} of them: {", ".join(unknown)}. Its {num_classes} classes are '
      f'{_first(network_names)}.'
    )
  return ClassMap(tuple(network_names), np.array([place[name] for name in data_names], np.int64))


def _first(names: Sequence[str]) -> str:
  more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
  return ', '.join(names[:_SHOWN]) + more
