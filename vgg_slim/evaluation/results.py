"""What scored pictures come to: averages over views, scales and networks. No TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.evaluation import metrics, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.significance import wilson_interval
from vgg_slim.finite import check_finite


class Pass(NamedTuple):
  """Every picture of a split in one view at one scale.

  Attributes:
    scores: float32 [N, K], averaged over crops and mirror images.
    seconds: wall time that it took, input included.
  """

  scores: np.ndarray
  seconds: float


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredCheckpoint:
  """All passes of one checkpoint.

  Attributes:
    model: name of the network.
    train_scale: the smallest side S of training, such as '256' or '[256;512]'.
    checkpoint: its prefix.
    step: its global step; None for an imported one.
    config: what was asked for.
    labels: int64 [N].
    passes: by view and scale.
  """

  model: str
  train_scale: str
  checkpoint: str
  step: int | None
  config: EvalConfig
  labels: np.ndarray
  passes: dict[tuple[str, int], Pass]


@dataclasses.dataclass(frozen=True)
class EvalResult(metrics.Scores):
  """Scores and what they are of.

  Attributes:
    top_1_interval: 95 % confidence interval of the error (Wilson).
    top_5_interval: the same.
    images_per_second: pictures over wall seconds of all views, input included.
    num_views: what the networks were fed for one picture: crops, mirror images, scales, networks.
    test_scales: smaller sides Q, in pixels.
    flip: whether the mirror image was averaged in.
    pool_rounding: how the last network's pools rounded, see `nets.mode.Inference`.
    view: names of the views, joined by '+'.
    average: 'probabilities' or 'logits'.
    split: name of the split.
    model: names of the networks, joined by ' + '.
    train_scale: their smallest sides S of training, joined likewise where they differ.
    checkpoint: their prefixes, joined likewise.
    step: global step of the checkpoint; of several the last one's.
  """

  top_1_interval: tuple[float, float]
  top_5_interval: tuple[float, float]
  images_per_second: float
  num_views: int
  test_scales: tuple[int, ...]
  flip: bool
  pool_rounding: str
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
    result: its numbers.
    labels: int64 [N].
    predicted: int64 [N], the most probable classes.
    passes: what was averaged.
  """

  result: EvalResult
  labels: np.ndarray
  predicted: np.ndarray
  passes: tuple[Pass, ...]

  @property
  def hits(self) -> np.ndarray:
    """Whether the most probable class is the label's, bool [N]."""
    return self.predicted == self.labels

  def probabilities(self) -> np.ndarray:
    """float64 [N, K], averaged anew: a table of many lines need not keep them all."""
    return _average(self.passes, self.result.average)


def combine(
  scored: Sequence[ScoredCheckpoint], view: str, test_scales: Sequence[int] | None = None
) -> Line:
  """Averages scores over the parts of a view, scales and networks; each counts alike.

  Args:
    scored: one or several checkpoints, on the same split with the same average.
    view: such as 'dense' or 'dense+multi_crop', whose parts were all scored.
    test_scales: some of those that were scored; by default all of each checkpoint.

  Raises:
    DataError: the checkpoints were not scored on the same pictures.
    NonFiniteError: an average is not finite.
  """
  last = scored[-1]
  if any(not np.array_equal(one.labels, last.labels) for one in scored):
    raise DataError('Checkpoints are fused over the same pictures only: their labels differ.')
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
  scores = sum(one.scores.astype(np.float64) for one in passes) / len(passes)
  return _softmax(scores) if average == 'logits' else scores


def _softmax(logits: np.ndarray) -> np.ndarray:
  exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
  return exponentials / exponentials.sum(axis=1, keepdims=True)
