"""Weight decay of linear heads, chosen by cross-validation on the training split.

A linear head is a logistic regression, whose best weight decay differs by a factor of a thousand
from one data set to another, and which scikit-learn fits in a fraction of a second.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from vgg_slim.features.standardization import Standardization, standardize

DEFAULT = 1e-5  # where there are too few images to choose
_FOLDS = 5
_MAX_IMAGES = 1000
_INVERSES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)  # scikit-learn's C, the strongest decay first
_MAX_ITERATIONS = 200
# Names of scikit-learn for the metrics that choose; accuracy stands for the loss, too.
_SCORERS = {'balanced_accuracy': 'balanced_accuracy', 'macro_f1': 'f1_macro'}


def choose_weight_decay(
  features: np.ndarray,
  labels: np.ndarray,
  standardization: Standardization,
  seed: int,
  class_weights: Sequence[float] = (),
  metric: str = 'accuracy',
) -> float:
  """Returns the weight decay that is best in cross-validation, the strongest of equals.

  Args:
    features: features of the training split, float32 [N, h, w, C].
    labels: class indices, int [N].
    standardization: standardization of the features.
    seed: random seed of the folds, and of the images if there are more than are needed.
    class_weights: weight of each class in the loss; empty for none.
    metric: metric that decides, one of BEST_METRICS.
  """
  import threadpoolctl
  from sklearn import exceptions, linear_model, model_selection  # takes a second to import

  rows = np.random.default_rng(seed).permutation(len(labels))[:_MAX_IMAGES]
  counts = np.unique(labels[rows], return_counts=True)[1]
  if len(counts) < 2 or np.sort(counts)[-2] < _FOLDS:
    return DEFAULT
  inputs = rotate(standardize(features[rows], standardization))
  folds = model_selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
  # On a busy machine, threads that wait for each other at every small product take minutes.
  with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)  # classes with fewer images than folds
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)  # accuracy settles long before
    accuracies = [
      model_selection.cross_val_score(
        linear_model.LogisticRegression(
          C=inverse,
          max_iter=_MAX_ITERATIONS,
          class_weight=dict(enumerate(class_weights)) or None,
        ),
        inputs,
        labels[rows],
        cv=folds,
        scoring=_SCORERS.get(metric, 'accuracy'),
      ).mean()
      for inverse in _INVERSES
    ]
  return 1 / (_INVERSES[int(np.argmax(accuracies))] * len(labels))


def rotate(inputs: np.ndarray) -> np.ndarray:
  """Rotates rows [N, D] into the space that they span, [N, N]; returns them as they are if D <= N.

  Lengths and angles stay, and with them what a logistic regression learns.
  """
  if inputs.shape[1] <= len(inputs):
    return inputs
  squares, axes = np.linalg.eigh((inputs @ inputs.T).astype(np.float64))
  return axes * np.sqrt(np.maximum(squares, 0))
