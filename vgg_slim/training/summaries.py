"""What TensorBoard shows of a network's inside; a step that does not fetch it does not pay."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.training.gradients import Gradients

_FILTER_PIXELS = 8  # on the screen, side of one weight of a filter


class Look(NamedTuple):
  """Something that is looked at now and then.

  Attributes:
    fetch: what a step is asked for, any structure that `tf.Session.run` takes.
    every_steps: from one look to the next; 0 for none.
    summarize: makes a summary of what was fetched; None where it is one, serialised.
  """

  fetch: Any
  every_steps: int
  summarize: Callable[[Any], tf.Summary] | None = None


def summarize_samples(
  samples: tuple[np.ndarray, np.ndarray], class_names: Sequence[str]
) -> tf.Summary:
  """Pictures with their labels in a grid, under the tag 'samples'.

  Args:
    samples: uint8 [n, side, side, 3], RGB, and int labels [n], or float [n, K] of mixed pictures.
    class_names: K texts.
  """
  from vgg_slim.plotting import samples as grid  # matplotlib: half a second, for runs that look

  images, labels = samples
  figure = grid.draw_samples(images, [_label_text(label, class_names) for label in labels])
  return tf.Summary(value=[tensorboard.picture('samples', figure)])


def _label_text(label: np.ndarray, class_names: Sequence[str]) -> str:
  if not label.ndim:
    return class_names[label]
  parts = [place for place in np.argsort(-label, kind='stable') if label[place] > 0]
  return ', '.join(f'{class_names[place]} {label[place]:.0%}' for place in parts)


def build_histograms(gradients: Gradients, end_points: Mapping[str, tf.Tensor]) -> tf.Tensor:
  """Histograms of weights, gradients and activations, and the activations' share of zeros.

  Args:
    gradients: with their variables.
    end_points: activations by name.

  Returns:
    string [], a serialised summary.
  """
  found = []
  for gradient, variable in gradients:
    found.append(tf.summary.histogram(f'weights/{variable.op.name}', variable))
    if gradient is not None:
      found.append(tf.summary.histogram(f'gradients/{variable.op.name}', gradient))
  for name, layer in end_points.items():
    found.append(tf.summary.histogram(f'activations/{name}', layer))
    found.append(tf.summary.scalar(f'sparsity/{name}', tf.nn.zero_fraction(layer)))
  return tf.summary.merge(found)


def build_filters(variables: Sequence[tf.Variable]) -> tf.Tensor | None:
  """The filters of the first convolution that sees three channels, as one picture; None without.

  Args:
    variables: of the network, in the order of building.

  Returns:
    string [], a serialised summary.
  """
  kernels = [v for v in variables if v.shape.rank == 4 and v.shape[2] == 3]
  return tf.summary.image('filters', draw_filters(kernels[0])) if kernels else None


def draw_filters(kernel: tf.Tensor) -> tf.Tensor:
  """Filters in a grid about as wide as high; black to white is the smallest to the largest weight.

  Args:
    kernel: float32 [kh, kw, 3, n].

  Returns:
    float32 [1, H, W, 3], 0..1.
  """
  height, width, channels, count = kernel.shape.as_list()
  columns = math.ceil(math.sqrt(count))
  rows = math.ceil(count / columns)
  low, high = tf.reduce_min(kernel), tf.reduce_max(kernel)
  filters = tf.transpose((kernel - low) / (high - low + 1e-12), [3, 0, 1, 2])
  filters = tf.pad(filters, [[0, rows * columns - count], [0, 1], [0, 1], [0, 0]])
  grid = tf.reshape(filters, [rows, columns, height + 1, width + 1, channels])
  grid = tf.transpose(grid, [0, 2, 1, 3, 4])
  picture = tf.reshape(grid, [1, rows * (height + 1), columns * (width + 1), channels])
  return tf.repeat(tf.repeat(picture, _FILTER_PIXELS, 1), _FILTER_PIXELS, 2)
