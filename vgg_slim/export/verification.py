"""Compares an export with its checkpoint on real images."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.errors import VggSlimError
from vgg_slim.evaluation.predictor import CheckpointPredictor
from vgg_slim.export import samples, serving_graph
from vgg_slim.export.fresh_process import Outputs
from vgg_slim.finite import check_finite
from vgg_slim.preprocessing import graph_decoding, host
from vgg_slim.wording import counted

_FILE_OUTPUTS = ('logits', 'probabilities', 'classes')
# Mean difference in levels of 0..255. `graph_decoding` explains where graph and host differ: files
# that predict rotates and stores as JPEG again. A missing rotation, or a missing white background,
# gives a difference of 20.
_PIXEL_TOLERANCE = 3.0
# Difference of a probability, for the same reason.
_PREDICT_TOLERANCE = 0.05


class Case(NamedTuple):
  """One batch and the checkpoint's outputs for it.

  Attributes:
    name: what is scored, such as the path of an image and the scale.
    batch: pixels, uint8 [N, H, W, 3], RGB, or content of files, bytes [N].
    expected: the checkpoint's outputs by name.
    is_crop: whether the batch has the size that a model of fixed shape takes.
    predicted: probabilities that tools/predict gives for files, float32 [N, K]; None for pixels and
      for a trunk.
  """

  name: str
  batch: np.ndarray
  expected: Outputs
  is_crop: bool = False
  predicted: np.ndarray | None = None


class ExportMismatchError(VggSlimError):
  """An export does not compute the same as its checkpoint."""


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Largest difference between an export and its checkpoint, over all cases.

  Attributes:
    cases: number of cases.
    difference: largest absolute difference of a class score (or a trunk's feature).
    relative: `difference` divided by the largest absolute value in all cases.
    probabilities: largest absolute difference of a probability; None for a trunk.
    answers: number of answers in all cases: an image is scored several times.
    same_class: number of answers whose most probable class is the same; None for a trunk.
  """

  cases: int
  difference: float
  relative: float
  answers: int
  probabilities: float | None = None
  same_class: int | None = None

  def text(self) -> str:
    """The comparison as one line of text."""
    largest = f'by at most {self.difference:.2g}, {self.relative:.2g} of the largest'
    if self.same_class is None:
      return f'{counted(self.answers, "answer")}; features differ {largest}'
    return (
      f'the same class in {self.same_class} of {counted(self.answers, "answer")}; probabilities '
      f'differ by at most {self.probabilities:.2g}, class scores {largest}'
    )


def run_on_pixels(prefix: str, contract: Contract, files: Mapping[str, bytes]) -> list[Case]:
  """Scores the pixels of every image at Q and at a larger scale, and of its central crop.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    DataError: an image cannot be decoded, or is too large to be scored.
    NonFiniteError: the checkpoint computes a value that is not finite.
  """
  rules = contract.preprocessing
  larger = dataclasses.replace(rules, test_scale=rules.test_scale * 5 // 4)
  if rules.keep_aspect_ratio:  # a square is never too large
    samples.check_sizes(files, larger.test_scale)
  crops = samples.prepare_crops(contract, files.values())
  cases = []
  with _open_checkpoint(prefix, contract) as score:
    for (name, data), crop in zip(files.items(), crops, strict=True):
      for each in (rules, larger):
        pixels = np.rint(host.prepare(data, each)).astype(np.uint8)[np.newaxis]
        cases.append(Case(f'{name} at Q = {each.test_scale}', pixels, score(pixels)))
      batch = crop[np.newaxis]
      cases.append(Case(f'the crop of {name}', batch, score(batch), is_crop=True))
  return _finite(cases, prefix)


def run_on_files(prefix: str, contract: Contract, files: Mapping[str, bytes]) -> list[Case]:
  """Scores files, and unusual kinds of files made from the first, one by one and in one batch.

  Errors in decoding must show even if the network is insensitive to them. So the pixels that the
  graph decodes are compared with those of the host, and later the export's scores with the
  checkpoint's scores of these pixels.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    DataError: an image cannot be decoded.
    NonFiniteError: the checkpoint computes a value that is not finite.
    ExportMismatchError: the graph decodes a file to other pixels than the host.
  """
  odd = samples.make_odd_files(next(iter(files.values())))
  named = {**files, **odd}
  pixels = _decode(contract, named)
  with _open_checkpoint(prefix, contract) as score:
    expected = [score(image[np.newaxis]) for image in pixels]
  has_head = not contract.network.is_trunk
  if has_head:
    expected = [{name: each[name] for name in _FILE_OUTPUTS} for each in expected]
    predicted = _predict(prefix, contract, list(named.values()))
  cases = [
    Case(
      name,
      np.array([data], object),
      expected[i],
      predicted=predicted[i : i + 1] if has_head else None,
    )
    for i, (name, data) in enumerate(named.items())
  ]
  if has_head:  # a trunk's maps of images of different sizes cannot be concatenated
    together = {name: np.concatenate([each[name] for each in expected]) for name in _FILE_OUTPUTS}
    batch = np.array(list(named.values()), object)
    cases.append(Case('all files in one batch', batch, together, predicted=predicted))
  return _finite(cases, prefix)


def _finite(cases: list[Case], prefix: str) -> list[Case]:
  for case in cases:
    _check_outputs(case.expected, prefix, case.name)
  return cases


@contextlib.contextmanager
def _open_checkpoint(prefix: str, contract: Contract) -> Iterator[Callable[[np.ndarray], Outputs]]:
  """Yields a function from pixels to the checkpoint's outputs."""
  with tf.Graph().as_default(), sessions.open_session() as session:
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    outputs = serving_graph.build_outputs(contract, images)
    restore.restore(session, prefix)
    yield lambda pixels: session.run(outputs, {images: pixels})


def _decode(contract: Contract, named: dict[str, bytes]) -> list[np.ndarray]:
  """Decodes files with the graph of a SavedModel, and compares the pixels with the host's."""
  decoded = []
  with tf.Graph().as_default(), sessions.open_session() as session:
    file = tf.placeholder(tf.string, [])
    image = graph_decoding.build_image(file, contract.preprocessing)
    for name, data in named.items():
      decoded.append(session.run(image, {file: data}))
      _check_pixels(name, decoded[-1], host.prepare(data, contract.preprocessing))
  return decoded


def _check_pixels(name: str, got: np.ndarray, expected: np.ndarray) -> None:
  if got.shape != expected.shape:
    problem = f'{got.shape[:2]} pixels instead of {expected.shape[:2]}'
  elif not np.abs(got - expected).mean() <= _PIXEL_TOLERANCE:
    problem = f'pixels that differ by {np.abs(got - expected).mean():.1f} of 255 on average'
  else:
    return
  raise ExportMismatchError(f'The export would decode {name} into {problem}; nothing is exported.')


def _predict(prefix: str, contract: Contract, files: Sequence[bytes]) -> np.ndarray:
  """Returns the class probabilities of files as tools/predict computes them."""
  with CheckpointPredictor(prefix, contract) as network:
    rules = contract.preprocessing
    stored = [
      host.read_image(data, rules.stored_side, pixel_range=rules.pixel_range) for data in files
    ]
    return network.probabilities([network.prepare(image.encoded) for image in stored])


def _check_outputs(outputs: Outputs, source: str, case_name: str) -> None:
  for output, values in outputs.items():
    _check_output(values, source, f'{case_name}, in {output}')


def _check_output(values: np.ndarray, source: str, where: str) -> None:
  check_finite(values, source, lambda _: where)


def compare(cases: Sequence[Case], got: Sequence[Outputs], tolerance: float) -> Comparison:
  """Compares an export's outputs with the checkpoint's.

  Args:
    cases: results of `run_on_pixels` and `run_on_files`.
    got: outputs of the export, in the same order.
    tolerance: largest allowed difference of a class score, relative to the largest class score in
      all cases.

  Raises:
    ExportMismatchError: an output is missing or has another shape, or a difference is too large.
    NonFiniteError: the export computes a value that is not finite.
  """
  differences, values = [], []
  for case, outputs in zip(cases, got, strict=True):
    shapes = {name: array.shape for name, array in case.expected.items()}
    got_shapes = {name: array.shape for name, array in outputs.items()}
    if got_shapes != shapes:
      raise ExportMismatchError(
        f'For {case.name} the export gives {got_shapes}, the checkpoint {shapes}.'
      )
    _check_outputs(outputs, 'The export', case.name)
    for name in ('class_score_map', 'logits', *serving_graph.TRUNK_OUTPUTS):
      if name in shapes:
        expected = case.expected[name]
        differences.append(_largest(outputs[name] - expected))
        values.append(_largest(expected))
  # Relative to all cases, as rounding depends on the ranges of layers, not the scores of one image.
  difference = float(np.max(differences))
  relative = difference / max(*values, np.finfo(np.float32).tiny)
  answers = sum(len(next(iter(case.expected.values()))) for case in cases)
  comparison = Comparison(len(cases), difference, relative, answers)
  if 'logits' in cases[0].expected:
    pairs = [(case.expected, outputs) for case, outputs in zip(cases, got, strict=True)]
    comparison = dataclasses.replace(
      comparison,
      probabilities=max(_largest(o['probabilities'] - e['probabilities']) for e, o in pairs),
      same_class=sum(_count_same(e['logits'], o['logits']) for e, o in pairs),
    )
  _check_predicted(cases, got)
  if comparison.relative > tolerance:
    raise ExportMismatchError(
      f'The export differs from the checkpoint: {comparison.text()}, which is more than '
      f'{tolerance:g}; nothing is exported.'
    )
  return comparison


def _largest(array: np.ndarray) -> float:
  return float(np.abs(array).max())


def _count_same(scores: np.ndarray, others: np.ndarray) -> int:
  return int((scores.argmax(1) == others.argmax(1)).sum())


def _check_predicted(cases: Sequence[Case], got: Sequence[Outputs]) -> None:
  for case, outputs in zip(cases, got, strict=True):
    if case.predicted is None:
      continue
    difference = _largest(outputs['probabilities'] - case.predicted)
    if not difference <= _PREDICT_TOLERANCE:
      raise ExportMismatchError(
        f'For {case.name} the probabilities of the export differ by {difference:.2g} from those '
        f'of tools/predict, more than {_PREDICT_TOLERANCE:g}; nothing is exported.'
      )
