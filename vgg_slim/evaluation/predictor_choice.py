"""The precision of a predictor that the image files at hand allow."""

from collections.abc import Iterator, Sequence

import numpy as np

from vgg_slim import sessions
from vgg_slim.errors import DataError
from vgg_slim.evaluation import precision_proof
from vgg_slim.evaluation.precision_proof import NUM_INPUTS, Proof
from vgg_slim.evaluation.predictor import CheckpointPredictor


def choose(
  exact: CheckpointPredictor, paths: Sequence[str], batch_size: int
) -> tuple[CheckpointPredictor, Proof | None]:
  """Compares `sessions.fast_precision` with float32 on the first image files.

  Args:
    exact: predictor in float32, which is closed if another one takes its place.
    paths: paths of all image files.
    batch_size: number of images that are in memory at once.

  Returns:
    The predictor to use, and the proof of its precision; None where float32 is the fastest
    precision, the files are fewer than `precision_proof.MIN_INPUTS`, or none of the first can be
    read.

  Raises:
    CheckpointError: the checkpoint cannot be read any more.
  """
  candidate = sessions.fast_precision()
  if candidate == 'float32' or len(paths) < precision_proof.MIN_INPUTS:
    return exact, None
  fast = CheckpointPredictor(exact.source, exact.contract, exact.view, candidate)
  pairs = [
    (exact.probabilities(images), fast.probabilities(images))
    for images in _batches(exact, paths[:NUM_INPUTS], batch_size)
  ]
  if not pairs:
    fast.close()
    return exact, None
  rows, others = map(np.concatenate, zip(*pairs, strict=True))
  proof = precision_proof.prove_scores(rows, others, candidate)
  chosen, other = (fast, exact) if proof.holds else (exact, fast)
  other.close()
  return chosen, proof


def _batches(
  predictor: CheckpointPredictor, paths: Sequence[str], batch_size: int
) -> Iterator[list[np.ndarray]]:
  """Yields the images of those files that can be read."""
  for start in range(0, len(paths), batch_size):
    images = []
    for path in paths[start : start + batch_size]:
      try:
        images.append(predictor.read(path))
      except DataError:
        continue  # `predict_files` says why
    if images:
      yield images
