"""Scores of a network for images: from a plain graph, and from every command and export."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tests.joins.rows import Row
from vgg_slim.checkpoints import contract as contracts
from vgg_slim.checkpoints import restore
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.evaluation import candidates, image_predictor, predictor, runner, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.export import exporter
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import host

Scores = dict[str, np.ndarray]  # float [K] by file


class Reference(NamedTuple):
  """Scores of the plain network: variables as they are, standard convolutions, one image per run.

  Attributes:
    pixels: float32 [h, w, 3] by file, RGB 0..255, resized by Pillow and NumPy.
    crops: float32 [side, side, 3] by file, the central crops.
    logits: float32 [K] by view and file.
    probabilities: float32 [K] by file for whole images, averaged with those of flipped images if
      the row has `flip`.
    whole: float32 [K] by file, logits of whole images that are not flipped.
    central: float32 [K] by file, logits of `crops` that are not flipped.
  """

  pixels: dict[str, np.ndarray]
  crops: dict[str, np.ndarray]
  logits: dict[str, Scores]
  probabilities: Scores
  whole: Scores
  central: Scores


def run_reference(path: str, encoded: Mapping[str, bytes], row: Row) -> Reference:
  """Scores files with the host's preprocessing and the plain network."""
  prefix, contract = contracts.load_contract(path)
  rules = contract.preprocessing
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, None, None, 3])
    outputs = registry.build_from_config(contracts.net_config(contract), images, Inference())
    restore.restore(session, prefix)

    def score(pixels: np.ndarray) -> np.ndarray:
      fed = host.network_input(pixels, rules)
      return session.run(outputs.logits, {images: fed[np.newaxis]})[0]

    def scores_of_flips(pixels: np.ndarray) -> list[np.ndarray]:
      return [score(pixels), score(pixels[:, ::-1])] if row.flip else [score(pixels)]

    prepared = {n: host.prepare(data, rules) for n, data in encoded.items()}
    crops_by_view = {
      view: {name: _crops(pixels, row.side, views.VIEWS[view]) for name, pixels in prepared.items()}
      for view in {*row.views, 'center'}
    }
    logits = {
      view: {
        name: np.mean([scores for crop in crops for scores in scores_of_flips(crop)], axis=0)
        for name, crops in crops_by_view[view].items()
      }
      for view in row.views
    }
    central = {name: crops[0] for name, crops in crops_by_view['center'].items()}
    return Reference(
      pixels=prepared,
      crops=central,
      logits=logits,
      probabilities={
        name: np.mean([_softmax(scores) for scores in scores_of_flips(pixels)], axis=0)
        for name, pixels in prepared.items()
      },
      whole={name: score(pixels) for name, pixels in prepared.items()},
      central={name: score(pixels) for name, pixels in central.items()},
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
  exponentials = np.exp(logits - logits.max())
  return exponentials / exponentials.sum()


def _crops(
  pixels: np.ndarray, side: int, positions: Sequence[tuple[float, float]] | None
) -> list[np.ndarray]:
  """Square crops of a view; `positions` (y, x) are in [0, 1], from top left to bottom right."""
  if positions is None:
    return [pixels]
  margin = np.array(pixels.shape[:2]) - side
  corners = [np.floor(np.array(position) * margin + 0.5).astype(int) for position in positions]
  return [pixels[y : y + side, x : x + side] for y, x in corners]


def run_evaluation(path: str, data_dir: str, row: Row) -> dict[str, Scores]:
  """Logits by view and file from the evaluation of the training split."""
  trained = candidates.find_candidate(path)
  manifest = manifests.read_manifest(data_dir)
  prefix, contract = contracts.load_contract(path)
  q = contract.preprocessing.test_scale
  wanted = EvalConfig(
    (q,),
    row.views,
    split='train',
    flip=row.flip,
    average='logits',
    batch_size=8,
    # Predictions and exports are compared in float32; `auto` depends on the processor.
    precision='float32',
  )
  shards = manifests.shard_paths(data_dir, manifest, 'train')
  names = [pathlib.PurePath(name).name for name, _ in records.read_examples(shards)]
  with runner.Evaluator(trained, data_dir, manifest, wanted) as evaluator:
    passes = evaluator.score(prefix).passes
  return {view: dict(zip(names, passes[view, q].scores, strict=True)) for view in row.views}


def run_prediction(path: str, files: Sequence[pathlib.Path], row: Row) -> Scores:
  """Probabilities by file from predictions on whole images."""
  prefix, contract = contracts.load_contract(path)
  view = image_predictor.View(flip=row.flip)
  with predictor.CheckpointPredictor(prefix, contract, view) as network:
    images = [network.read(str(file)) for file in files]
    rows = network.probabilities(images)
  return dict(zip([file.name for file in files], rows, strict=True))


def run_export(
  path: str, row: Row, folder: pathlib.Path, encoded: Mapping[str, bytes], reference: Reference
) -> Scores:
  """Logits by file from an export of the network that is loaded again.

  Args:
    path: train_dir, or prefix of a checkpoint.
    row: row whose `export` is the format and the kind of input.
    folder: folder to create for the export.
    encoded: image files for the signature that takes files, which are all fed at once.
    reference: scores whose pixels, whole images or central crops, are fed to all other exports.
  """
  file_format = row.export.removesuffix('_files')
  prefix, contract = contracts.load_contract(path)
  wanted = exporter.FORMATS[file_format]
  folder.mkdir()
  wanted.write(prefix, contract, folder)
  run = wanted.load(folder)
  if row.export == 'saved_model_files':
    return dict(zip(encoded, run(np.array(list(encoded.values()), object))['logits'], strict=True))
  inputs = reference.crops if file_format == 'tflite' else reference.pixels
  return {name: run(pixels[np.newaxis])['logits'][0] for name, pixels in inputs.items()}
