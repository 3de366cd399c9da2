"""Figures of predictions: bar charts, a grid, heat maps."""

import itertools
import pathlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import PIL.Image

from vgg_slim import tensorboard, wording
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.data.sources import image_files
from vgg_slim.evaluation.predictions import Prediction
from vgg_slim.evaluation.predictor import CheckpointPredictor
from vgg_slim.nets import geometry, specs
from vgg_slim.plotting import heat_maps, samples
from vgg_slim.plotting import predictions as charts

_CHART_SIDE = 512  # pixels
_TILE_SIDE = 256


def write_bar_charts(folder: pathlib.Path, predictions: Sequence[Prediction]) -> None:
  """Writes NAME.png for each prediction: the image, and a bar for each class."""
  folder.mkdir(parents=True, exist_ok=True)
  for (file, top), name in zip(predictions, file_names(predictions), strict=True):
    pixels = _thumbnail(file, _CHART_SIDE)
    names, probabilities = [s.class_name for s in top], [s.probability for s in top]
    title = wording.printable(pathlib.Path(file).name)
    figure = charts.draw_bar_chart(pixels, names, probabilities, title)
    figure.savefig(folder / f'{name}.png')


def write_grid(stream: BinaryIO, predictions: Sequence[Prediction]) -> None:
  """Writes a PNG of all images, each with its file name and its most probable class."""
  tiles = [_thumbnail(p.file, _TILE_SIDE) for p in predictions]
  captions = [
    f'{pathlib.Path(p.file).name}\n{p.top[0].class_name}\n{p.top[0].probability:.1%}'
    for p in predictions
  ]
  samples.draw_samples(tiles, captions).savefig(stream, format='png')


def write_heat_maps(
  folder: pathlib.Path,
  predictions: Sequence[Prediction],
  predictor: CheckpointPredictor,
  contract: Contract,
  layer: str | None,
) -> None:
  """Writes NAME.png for each prediction, and all of them as TensorBoard images.

  Args:
    folder: output folder, also the TensorBoard run; created if missing.
    predictions: predictions whose most probable class is explained.
    predictor: predictor of the same network.
    contract: contract of its checkpoint.
    layer: name of the layer for Grad-CAM, see `geometry.find_layer`; by default the last features.

  Raises:
    ConfigError: the network has no such layer.
  """
  network = contract.network
  spec = specs.get(network.model)
  layer, layer_grid = geometry.find_layer(spec, layer or geometry.last_features(spec))
  score_grid = geometry.score_map_grid(spec, network.image_size, network.fc_units, network.head)
  folder.mkdir(parents=True, exist_ok=True)
  with tensorboard.open_events(str(folder)) as writer:
    for (file, (best, *_)), name in zip(predictions, file_names(predictions), strict=True):
      image = predictor.read(file)
      explanation = predictor.explain(image, best.class_id, layer)
      cells = ' x '.join(map(str, explanation.class_map.shape))
      panels = [
        heat_maps.HeatMap(
          f'class score map, {cells}', explanation.class_map, *score_grid, 'probability', (0, 1)
        ),
        heat_maps.HeatMap(
          f'Grad-CAM, {layer}', explanation.grad_cam, *layer_grid, 'weighted features'
        ),
      ]
      shown = wording.printable(pathlib.Path(file).name)
      title = f'{shown}: {best.class_name}, {best.probability:.1%}'
      figure = heat_maps.draw_heat_maps(explanation.pixels, panels, title)
      value = tensorboard.figure_value(f'heat_maps/{wording.printable(name)}', figure)
      (folder / f'{name}.png').write_bytes(value.image.encoded_image_string)
      writer.add_summary(tf.Summary(value=[value]), 0)


def file_names(predictions: Sequence[Prediction]) -> list[str]:
  """File name of each image without folder and extension; repeated names are numbered."""
  names: dict[str, None] = {}
  for prediction in predictions:
    stem = pathlib.Path(prediction.file).stem
    candidates = (f'{stem}_{number}' if number > 1 else stem for number in itertools.count(1))
    names[next(name for name in candidates if name not in names)] = None
  return list(names)


def _thumbnail(file: str, side: int) -> np.ndarray:
  """Thumbnail, uint8 [H, W, 3], RGB, no side longer than `side` pixels."""
  image = PIL.Image.fromarray(np.asarray(image_files.read_file(file).image)).convert('RGB')
  image.thumbnail((side, side))
  return np.asarray(image)
