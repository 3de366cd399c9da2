"""Image and histogram summaries for TensorBoard; only steps that fetch them pay for them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.training.gradients import Gradients

_FILTER_PIXELS = 8  # side of the square of pixels that shows one weight of a filter


class PeriodicSummary(NamedTuple):
  """A summary that is made every few steps.

  Attributes:
    fetch: fetches of the step, any structure that `tf.Session.run` accepts.
    every_steps: steps between two summaries; 0 for none.
    summarize: function that makes a summary of the fetched values; None if the fetched value is
      itself a serialized summary.
  """

  fetch: Any
  every_steps: int
  summarize: Callable[[Any], tf.Summary] | None = None


def summarize_samples(
  samples: tuple[np.ndarray, np.ndarray], class_names: Sequence[str]
) -> tf.Summary:
  """A grid of images with their labels, under the tag 'samples'.

  Args:
    samples: images, uint8 [n, side, side, 3], RGB, and their labels, int [n], or the class weights
      of mixed images, float [n, K].
    class_names: names of the K classes.
  """
  from vgg_slim.plotting import samples as grid  # imports matplotlib, which takes 0.5 s

  images, labels = samples
  figure = grid.draw_samples(images, [_label_text(label, class_names) for label in labels])
  return tf.Summary(value=[tensorboard.figure_value('samples', figure)])


def _label_text(label: np.ndarray, class_names: Sequence[str]) -> str:
  if not label.ndim:
    return class_names[int(label)]
  classes = [index for index in np.argsort(-label, kind='stable') if label[index] > 0]
  return ', '.join(f'{class_names[index]} {label[index]:.0%}' for index in classes)


def build_histograms(gradients: Gradients, end_points: Mapping[str, tf.Tensor]) -> tf.Tensor:
  """Histograms of weights, gradients and activations, and the sparsity of activations.

  Args:
    gradients: pairs of gradient and variable.
    end_points: activations by name.

  Returns:
    Serialized summary, string [].
  """
  histograms = []
  for gradient, variable in gradients:
    histograms.append(tf.summary.histogram(f'weights/{variable.op.name}', variable))
    if gradient is not None:
      histograms.append(tf.summary.histogram(f'gradients/{variable.op.name}', gradient))
  for name, layer in end_points.items():
    histograms.append(tf.summary.histogram(f'activations/{name}', layer))
    histograms.append(tf.summary.scalar(f'sparsity/{name}', tf.nn.zero_fraction(layer)))
  return tf.summary.merge(histograms)


def build_filters(variables: Sequence[tf.Variable]) -> tf.Tensor | None:
  """An image of the filters of the first convolution over three channels; None if there is none.

  Args:
    variables: variables of the network, in the order in which they were built.

  Returns:
    Serialized summary, string [], or None.
  """
  kernels = [v for v in variables if v.shape.rank == 4 and v.shape[2] == 3]
  return tf.summary.image('filters', draw_filters(kernels[0])) if kernels else None


def draw_filters(kernel: tf.Tensor) -> tf.Tensor:
  """Draws filters in a nearly square grid, from black for the smallest weight to white.

  Args:
    kernel: kernel of a convolution, float32 [kh, kw, 3, n].

  Returns:
    Image, float32 [1, H, W, 3], 0..1.
  """
  height, width, channels, count = kernel.shape.as_list()
  columns = math.ceil(math.sqrt(count))
  rows = math.ceil(count / columns)
  low, high = tf.reduce_min(kernel), tf.reduce_max(kernel)
  filters = tf.transpose((kernel - low) / (high - low + 1e-12), [3, 0, 1, 2])
  filters = tf.pad(filters, [[0, rows * columns - count], [0, 1], [0, 1], [0, 0]])
  grid = tf.reshape(filters, [rows, columns, height + 1, width + 1, channels])
  grid = tf.transpose(grid, [0, 2, 1, 3, 4])
  image = tf.reshape(grid, [1, rows * (height + 1), columns * (width + 1), channels])
  return tf.repeat(tf.repeat(image, _FILTER_PIXELS, 1), _FILTER_PIXELS, 2)
