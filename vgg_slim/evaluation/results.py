"""Results of scored images: averages over views, scales and networks. No TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.evaluation import metrics, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.precision_proof import Proof
from vgg_slim.evaluation.significance import wilson_interval
from vgg_slim.finite import check_finite


class Pass(NamedTuple):
  """Scores of every image of a split, in one view at one scale.

  Attributes:
    scores: mean probabilities or logits over crops and horizontal flips, float32 [N, K].
    seconds: wall time of scoring, input pipeline included.
  """

  scores: np.ndarray
  seconds: float


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredCheckpoint:
  """All passes of one checkpoint.

  Attributes:
    model: name of the network.
    train_scale: smaller side S of training images, such as '256' or '[256;512]'.
    checkpoint: prefix of the checkpoint.
    step: global step of the checkpoint; None for an imported one.
    config: settings of the evaluation.
    labels: class indices, int64 [N].
    passes: scores by view and scale.
    precision: precision in which the scores were computed.
    proof: why it is that precision; None where nothing had to be proven.
  """

  model: str
  train_scale: str
  checkpoint: str
  step: int | None
  config: EvalConfig
  labels: np.ndarray
  passes: dict[tuple[str, int], Pass]
  precision: str = 'float32'
  proof: Proof | None = None


@dataclasses.dataclass(frozen=True)
class EvalResult(metrics.Scores):
  """Error rates and loss, and what they were measured on.

  Attributes:
    top_1_interval: 95 % confidence interval of the top-1 error (Wilson).
    top_5_interval: 95 % confidence interval of the top-5 error (Wilson).
    images_per_second: number of images / wall seconds of all views, input pipeline included.
    num_views: number of inputs scored per image: crops x flips x scales x networks.
    test_scales: smaller sides Q of the resized images, in pixels.
    flip: whether horizontally flipped images were averaged in.
    pool_rounding: rounding of output sides by the last network's pools, see `nets.mode.Inference`.
    precision: precision in which the scores were computed, joined by ' + ' where networks differ.
    view: names of the views, joined by '+'.
    average: quantity that was averaged over views, 'probabilities' or 'logits'.
    split: name of the split.
    model: names of the networks, joined by ' + '.
    train_scale: smaller sides S of their training images, joined by ' + ' where they differ.
    checkpoint: prefixes of the checkpoints, joined by ' + '.
    step: global step of the last checkpoint; None for an imported one.
  """

  top_1_interval: tuple[float, float]
  top_5_interval: tuple[float, float]
  images_per_second: float
  num_views: int
  test_scales: tuple[int, ...]
  flip: bool
  pool_rounding: str
  precision: str
  view: str
  average: str
  split: str
  model: str
  train_scale: str
  checkpoint: str
  step: int | None

  @property
  def top_1_accuracy(self) -> float:
    return 1 - self.top_1_error


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
  """One line of a table.

  Attributes:
    result: numbers of the line.
    labels: class indices, int64 [N].
    predicted: most probable classes, int64 [N].
    passes: scores that were averaged.
  """

  result: EvalResult
  labels: np.ndarray
  predicted: np.ndarray
  passes: tuple[Pass, ...]

  @property
  def hits(self) -> np.ndarray:
    """Whether the most probable class of each image is its label, bool [N]."""
    return self.predicted == self.labels

  def probabilities(self) -> np.ndarray:
    """Class probabilities, float64 [N, K]; averaged at each call, to save memory."""
    return _average(self.passes, self.result.average)


def combine(
  scored: Sequence[ScoredCheckpoint], view: str, test_scales: Sequence[int] | None = None
) -> Line:
  """Averages scores over the parts of a view, scales and networks, all with equal weight.

  Args:
    scored: one or more checkpoints, scored on the same split with the same `average`.
    view: a view such as 'dense' or 'dense+multi_crop', whose parts were all scored.
    test_scales: subset of the scales that were scored; by default all of each checkpoint.

  Raises:
    DataError: the checkpoints were not scored on the same images.
    NonFiniteError: an average is not finite.
  """
  last = scored[-1]
  if any(not np.array_equal(one.labels, last.labels) for one in scored):
    raise DataError('Only checkpoints scored on the same images can be fused; their labels differ.')
  keys = [
    (one, part, scale)
    for one in scored
    for part in views.parts(view)
    for scale in test_scales or one.config.test_scales
  ]
  passes = tuple(one.passes[part, scale] for one, part, scale in keys)
  probabilities = _average(passes, last.config.average)
  checkpoint = ' + '.join(one.checkpoint for one in scored)
  check_finite(probabilities, checkpoint)
  counted = metrics.count(probabilities, last.labels)
  total = counted.num_images
  result = EvalResult(
    **dataclasses.asdict(counted),
    top_1_interval=wilson_interval(round(counted.top_1_error * total), total),
    top_5_interval=wilson_interval(round(counted.top_5_error * total), total),
    images_per_second=total / sum(one.seconds for one in passes),
    num_views=sum(views.num_crops(part) * (1 + one.config.flip) for one, part, _ in keys),
    test_scales=tuple(sorted({scale for _, _, scale in keys})),
    flip=all(one.config.flip for one in scored),
    pool_rounding=last.config.pool_rounding,
    precision=' + '.join(dict.fromkeys(one.precision for one in scored)),
    view=view,
    average=last.config.average,
    split=last.config.split,
    model=' + '.join(one.model for one in scored),
    train_scale=' + '.join(dict.fromkeys(one.train_scale for one in scored)),
    checkpoint=checkpoint,
    step=last.step,
  )
  return Line(result, last.labels, np.argmax(probabilities, axis=1), passes)


def _average(passes: Sequence[Pass], average: str) -> np.ndarray:
  scores = np.stack([one.scores for one in passes]).mean(axis=0, dtype=np.float64)
  return as_probabilities(scores, average)


def as_probabilities(scores: np.ndarray, average: str) -> np.ndarray:
  """Class probabilities, float [N, K], of scores that are probabilities or 'logits'."""
  return _softmax(scores) if average == 'logits' else scores


def _softmax(logits: np.ndarray) -> np.ndarray:
  exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
  return exponentials / exponentials.sum(axis=1, keepdims=True)
