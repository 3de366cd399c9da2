"""Maps the classes of a data set to those of a network, by name. No TensorFlow."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.wording import counted, listed

_MAX_SHOWN = 4  # names or pairs listed in a message


class ClassMap(NamedTuple):
  """The index of each class of a data set among the classes of a network.

  Attributes:
    names: names of all K classes of the network, in the order of its scores.
    labels: class index in the network of each label of the data set, int64 [C].
  """

  names: tuple[str, ...]
  labels: np.ndarray

  @property
  def data_names(self) -> tuple[str, ...]:
    """Names of the classes of the data set, in the order of its labels."""
    return tuple(self.names[label] for label in self.labels)

  def to_network(self, labels: np.ndarray) -> np.ndarray:
    """Converts labels of the data set, int [N], to class indices of the network, int64 [N].

    Raises:
      DataError: a label is outside the classes of the data set.
    """
    if labels.min() < 0 or labels.max() >= len(self.labels):
      raise DataError(
        f'Labels must be in 0 .. {len(self.labels) - 1}, got {sorted(set(labels.tolist()))}.'
      )
    return self.labels[labels]

  @property
  def is_identity(self) -> bool:
    """Whether data set and network have the same classes in the same order."""
    return np.array_equal(self.labels, np.arange(len(self.names)))

  def describe(self, data_dir: str) -> str:
    """A one-line message that says how labels are mapped; `data_dir` names the data set."""
    pairs = [f'{i} is {label} ({self.names[label]})' for i, label in enumerate(self.labels)]
    return (
      f'{data_dir} has {len(self.labels)} of the {len(self.names)} classes of the network, '
      f'matched by name: label {listed(pairs, _MAX_SHOWN)}.'
    )


def map_classes(
  network_names: Sequence[str] | None, num_classes: int, data_names: Sequence[str], data_dir: str
) -> ClassMap:
  """Matches the classes of a data set to those of a network by name.

  Args:
    network_names: class names of the network, in the order of its scores. If None, labels are used
      unchanged.
    num_classes: number of classes of the network.
    data_names: class names of the data set, in the order of its labels.
    data_dir: folder of the data set, named in error messages.

  Raises:
    DataError: the network lacks classes of the data set (the message lists them all), or a network
      without class names has a different number of classes.
  """
  if network_names is None:
    if len(data_names) != num_classes:
      raise DataError(
        f'{data_dir} has {counted(len(data_names), "class")}, but the network has {num_classes}, '
        'and its checkpoint does not name them: import it again with tools/import_weights --labels.'
      )
    return ClassMap(tuple(data_names), np.arange(num_classes))
  index_of = {name: i for i, name in enumerate(network_names)}
  unknown = [name for name in data_names if name not in index_of]
  if unknown:
    raise DataError(
      f'{data_dir} has {counted(len(data_names), "class")}, and the network was not trained on '
      f'{len(unknown)} of them: {", ".join(unknown)}. Its {num_classes} classes are '
      f'{listed(network_names, _MAX_SHOWN)}.'
    )
  return ClassMap(tuple(network_names), np.array([index_of[name] for name in data_names], np.int64))
