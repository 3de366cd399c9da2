"""Section 3.2 of the VGG paper in NumPy and Pillow; independent of the library."""

import io
import math

import numpy as np
import PIL.Image


def decode(encoded):
  return np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert('RGB'), np.float64)


def resize_smaller_side(image, side):
  """Pillow's antialiased filter, per channel in float32, as Pillow rounds resized RGB images."""
  height, width = (round(length * side / min(image.shape[:2])) for length in image.shape[:2])
  channels = [
    PIL.Image.fromarray(channel.astype(np.float32)).resize(
      (width, height), PIL.Image.Resampling.BILINEAR
    )
    for channel in np.moveaxis(image, 2, 0)
  ]
  return np.stack(channels, -1).astype(np.float64)


def convolve(maps, weights, biases, padding):
  """[N, H, W, C] with [k, k, C, O], stride 1."""
  maps = np.pad(maps, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
  windows = np.lib.stride_tricks.sliding_window_view(maps, weights.shape[:2], axis=(1, 2))
  return np.einsum('nhwcij,ijco->nhwo', windows, weights, optimize=True) + biases


def pool(maps, kernel=2, stride=2, rounding=math.floor):
  """Max pooling by loops; math.ceil gives Caffe's, whose windows are cut at the border."""
  rows, columns = (rounding((side - kernel) / stride) + 1 for side in maps.shape[1:3])
  pooled = np.empty([len(maps), rows, columns, maps.shape[3]], maps.dtype)
  for i, j in np.ndindex(rows, columns):
    top, left = i * stride, j * stride
    pooled[:, i, j] = maps[:, top : top + kernel, left : left + kernel].max(axis=(1, 2))
  return pooled


def score_map(images, values, scope, rounding=math.floor):
  """Class score map [N, h, w, K]; `values` maps variable names to arrays."""
  maps = images
  for stage in range(1, 6):
    unit = 1
    while f'{scope}/conv{stage}/conv{stage}_{unit}/weights' in values:
      name = f'{scope}/conv{stage}/conv{stage}_{unit}'
      weights = values[f'{name}/weights'].astype(np.float64)
      maps = np.maximum(convolve(maps, weights, values[f'{name}/biases'], len(weights) // 2), 0)
      unit += 1
    maps = pool(maps, rounding=rounding)
  for name in ('fc6', 'fc7', 'fc8'):
    weights = values[f'{scope}/{name}/weights'].astype(np.float64)
    maps = convolve(maps, weights, values[f'{scope}/{name}/biases'], 0)
    maps = maps if name == 'fc8' else np.maximum(maps, 0)
  return maps


def softmax(logits):
  exponentials = np.exp(logits - logits.max(-1, keepdims=True))
  return exponentials / exponentials.sum(-1, keepdims=True)


def crops(image, side, view):
  """The crops of a view, [V, side, side, C]."""
  bottom, right = image.shape[0] - side, image.shape[1] - side
  center = (bottom + 1) // 2, (right + 1) // 2
  corners = {
    'center': [center],
    'ten_crop': [(0, 0), (0, right), (bottom, 0), (bottom, right), center],
    'multi_crop': [
      (int(bottom * i / 4 + 0.5), int(right * j / 4 + 0.5)) for i in range(5) for j in range(5)
    ],
  }[view]
  return np.stack([image[y : y + side, x : x + side] for y, x in corners])


def images_of_view(image, side, view):
  """The crops of a view, or the whole image, then their horizontal flips: [V, h, w, 3]."""
  images = image[np.newaxis] if view == 'dense' else crops(image, side, view)
  return np.concatenate([images, images[:, :, ::-1]])


def logits_of_views(image, values, scope, side, view, rounding=math.floor):
  """Logits of each of `images_of_view`, [V, K]."""
  images = images_of_view(image, side, view)
  return score_map(images, values, scope, rounding).mean(axis=(1, 2))
