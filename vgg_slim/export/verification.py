"""An export against its checkpoint, on real images."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.errors import VggSlimError
from vgg_slim.export import samples, serving_graph
from vgg_slim.export.fresh_process import Outputs
from vgg_slim.finite import check_finite
from vgg_slim.weights import restore
from vgg_slim.weights.contract import Contract


class Case(NamedTuple):
  """One batch and what the checkpoint makes of it.

  Attributes:
    batch: uint8 [1, H, W, 3], RGB, or bytes [1].
    expected: the checkpoint's outputs by name.
    is_crop: whether the batch has the side that a model of fixed shape takes.
  """

  batch: np.ndarray
  expected: Outputs
  is_crop: bool = False


class ExportMismatchError(VggSlimError):
  """An export that computes something else than its checkpoint."""


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Largest difference between an export and its checkpoint, over all cases.

  Attributes:
    cases: how many.
    difference: largest absolute difference of a class score (or a trunk's feature).
    relative: the same over the largest absolute value in all cases.
    probabilities: largest absolute difference of a probability; None for a trunk.
    same_class: in how many cases the most probable class is the same; None for a trunk.
  """

  cases: int
  difference: float
  relative: float
  probabilities: float | None = None
  same_class: int | None = None

  def text(self) -> str:
    """One line for people."""
    line = f'largest difference {self.difference:.3g}, {self.relative:.2g} of the largest value'
    if self.same_class is not None:
      line += (
        f'; of a probability {self.probabilities:.2g}; same class in {self.same_class} of '
        f'{self.cases} cases'
      )
    return line


def run_checkpoint(prefix: str, contract: Contract, encoded: Sequence[bytes]) -> list[Case]:
  """Scores every image as a file, its pixels at Q and at a larger side, and its central crop.

  Raises:
    CheckpointError: the checkpoint cannot be read or is of another network.
    NonFiniteError: it computes a value that is not finite.
  """
  larger = dataclasses.replace(contract, test_scale=contract.test_scale * 5 // 4)
  crops = samples.prepare_crops(contract, encoded)
  cases = []
  with tf.Graph().as_default(), sessions.open_session() as session:
    file = tf.placeholder(tf.string, [None])
    decoded = [serving_graph.build_decoded(each, file) for each in (contract, larger)]
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    outputs = serving_graph.build_outputs(contract, images)
    restore.restore(session, prefix)

    def score(pixels: np.ndarray) -> Outputs:
      return session.run(outputs, {images: pixels})

    for data, crop in zip(encoded, crops, strict=True):
      batch = np.array([data], object)
      at_q, at_larger = session.run(decoded, {file: batch})
      cases.append(Case(batch, score(at_q)))
      for pixels in (at_q, at_larger):
        whole = np.rint(pixels).astype(np.uint8)
        cases.append(Case(whole, score(whole)))
      cases.append(Case(crop[np.newaxis], score(crop[np.newaxis]), is_crop=True))
  for number, case in enumerate(cases):
    _check_outputs(case.expected, prefix, number)
  return cases


def _check_outputs(outputs: Outputs, source: str, number: int) -> None:
  for name, values in outputs.items():
    check_finite(values, source, lambda _, name=name: f'{number} of the proof, in {name},')


def compare(cases: Sequence[Case], got: Sequence[Outputs], tolerance: float) -> Comparison:
  """Compares an export's outputs with the checkpoint's.

  Args:
    cases: of `run_checkpoint`.
    got: of the export, in the same order.
    tolerance: largest difference of a class score, over the largest class score in all cases.

  Raises:
    ExportMismatchError: an output is missing or of another shape, or the difference is larger.
    NonFiniteError: the export computes a value that is not finite.
  """
  differences, values = [], []
  for number, (case, outputs) in enumerate(zip(cases, got, strict=True)):
    shapes = {name: array.shape for name, array in case.expected.items()}
    if {name: array.shape for name, array in outputs.items()} != shapes:
      found = {name: array.shape for name, array in outputs.items()}
      raise ExportMismatchError(f'The export gives {found}, the checkpoint {shapes}.')
    _check_outputs(outputs, 'The export', number)
    for name in ('class_score_map', 'logits', *serving_graph.TRUNK_OUTPUTS):
      if name in shapes:
        expected = case.expected[name]
        differences.append(_largest(outputs[name] - expected))
        values.append(_largest(expected))
  # Over all cases: rounding follows the ranges of the layers, not the scores of one image.
  difference = float(np.max(differences))
  relative = difference / max(*values, np.finfo(np.float32).tiny)
  comparison = Comparison(len(cases), difference, relative)
  if 'logits' in cases[0].expected:
    comparison = dataclasses.replace(
      comparison,
      probabilities=max(
        _largest(o['probabilities'] - c.expected['probabilities'])
        for c, o in zip(cases, got, strict=True)
      ),
      same_class=sum(
        int(o['logits'].argmax() == c.expected['logits'].argmax())
        for c, o in zip(cases, got, strict=True)
      ),
    )
  if comparison.relative > tolerance:
    raise ExportMismatchError(
      f'{comparison.text()}. That is more than {tolerance:g}; nothing is exported.'
    )
  return comparison


def _largest(array: np.ndarray) -> float:
  return float(np.abs(array).max())
