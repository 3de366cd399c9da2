"""Fabricated scores and scored checkpoints."""

import numpy as np

from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.results import Pass, ScoredCheckpoint


def probabilities_of(predicted, confidence=0.9, num_classes=3):
  """Probabilities, float32 [N, K]: `confidence` for each class of `predicted`."""
  rest = (1 - confidence) / (num_classes - 1)
  rows = np.full([len(predicted), num_classes], rest, np.float32)
  rows[np.arange(len(predicted)), predicted] = confidence
  return rows


def scored_checkpoint(passes, labels, views, model='vgg_d', seconds=0.5, **request):
  """A checkpoint with `passes`, arrays by view and scale, each scored in `seconds`."""
  scales = tuple(dict.fromkeys(scale for _, scale in passes))
  return ScoredCheckpoint(
    model=model,
    train_scale='256',
    checkpoint=f'runs/{model}/model.ckpt-9',
    step=9,
    config=EvalConfig(scales, views, **request),
    labels=np.asarray(labels),
    passes={key: Pass(np.asarray(scores), seconds) for key, scores in passes.items()},
  )
