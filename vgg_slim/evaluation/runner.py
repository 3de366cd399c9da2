"""Scores checkpoints on a converted split: densely or by crops, at one or more scales."""

import functools
import itertools
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.configs.runtime import AUTO
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import class_map, metrics, precision_proof, results, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.precision_proof import Proof
from vgg_slim.evaluation.scoring_graph import ScoringGraph, Trained
from vgg_slim.finite import check_finite

_Opened = TypeVar('_Opened', bound='Evaluator')
Progress = Callable[[int, int], None]


class Evaluator:
  """Scores any number of checkpoints of one network. Use it as a context manager.

  With the precision `auto`, each checkpoint is scored in bfloat16 if the processor has it and
  `precision_proof` shows on the first inputs that the answers stay the same.

  Attributes:
    classes: mapping from the classes of the data set to those of the network.
  """

  def __init__(
    self, trained: Trained, data_dir: str, manifest: Manifest, config: EvalConfig
  ) -> None:
    """Builds the graph; with the precision `auto`, that of float32.

    Args:
      trained: network, preprocessing and class names.
      data_dir: folder of the converted data set.
      manifest: manifest of the data set.
      config: settings of the evaluation.

    Raises:
      ConfigError: there is no test scale, one is too small for the network, or the precision needs
        a GPU.
      DataError: the network lacks a class of the data set, or the split does not exist.
    """
    self.classes = class_map.map_classes(
      trained.class_names, trained.net.num_classes, manifest.class_names, data_dir
    )
    views.check_test_scales(config.test_scales, trained.net.image_size)
    self._trained, self._config = trained, config
    split = manifest.split(config.split)
    self._num_images = split.num_examples
    self._max_waiting = pipeline.waiting_limit(split.num_examples, split.num_bytes)
    self._paths = manifests.shard_paths(data_dir, manifest, config.split)
    self._graphs: dict[str, ScoringGraph] = {}
    wants_auto = config.precision == AUTO
    self._precision = 'float32' if wants_auto else config.precision
    sessions.check_precision(self._precision)
    enough = self._num_scored() >= precision_proof.MIN_INPUTS
    self._candidate = sessions.fast_precision() if wants_auto and enough else self._precision
    self._graph(self._precision)

  def __enter__(self: _Opened) -> _Opened:
    return self

  def __exit__(self, *exception: object) -> None:
    self.close()

  def close(self) -> None:
    """Frees the weights; the next `score` restores them."""
    for graph in self._graphs.values():
      graph.close()

  def score(self, checkpoint: str, progress: Progress | None = None) -> results.ScoredCheckpoint:
    """Scores every image of the split once in each crop of each view at each scale.

    Args:
      checkpoint: prefix of the checkpoint.
      progress: function called with (number of crops scored, total number of crops).

    Raises:
      CheckpointError: the checkpoint cannot be read or does not fit the network.
      DataError: the shards do not match the manifest.
      NonFiniteError: the scores of an image are not finite.
    """
    step = _step(checkpoint)  # first: training may remove the checkpoint at any time
    graph, proof = self._choose_graph(checkpoint)
    total, done, passes = self._num_scored(), 0, {}
    for view in views.all_parts(self._config.views):
      for scale in self._config.test_scales:
        table = metrics.ScoreTable(self._num_images, self._trained.net.num_classes)
        started = time.monotonic()
        for indices, scores, labels in graph.batches(view, scale):
          check_finite(scores, checkpoint, functools.partial(self._image_name, indices))
          table.add(indices, scores, self.classes.to_network(labels))
          done += len(indices)
          if progress:
            progress(done, total)
        average = table.average(views.num_crops(view)).astype(np.float32)
        passes[view, scale] = results.Pass(average, time.monotonic() - started)
    return results.ScoredCheckpoint(
      model=self._trained.net.model,
      train_scale=self._trained.preprocessing.train_scale,
      checkpoint=checkpoint,
      step=step,
      config=self._config,
      labels=table.labels,
      passes=passes,
      precision=graph.precision,
      proof=proof,
    )

  def _choose_graph(self, checkpoint: str) -> tuple[ScoringGraph, Proof | None]:
    """Returns the graph that scores a checkpoint, restored, and the proof of its precision."""
    exact = self._graph(self._precision)
    exact.restore(checkpoint)
    if self._candidate == self._precision:
      return exact, None
    fast = self._graph(self._candidate)
    fast.restore(checkpoint)
    proof = precision_proof.prove_scores(
      self._first_probabilities(exact), self._first_probabilities(fast), fast.precision
    )
    chosen, other = (fast, exact) if proof.holds else (exact, fast)
    other.close()
    return chosen, proof

  def _graph(self, precision: str) -> ScoringGraph:
    if precision not in self._graphs:
      self._graphs[precision] = ScoringGraph(
        self._trained, self._config, precision, self._paths, self._max_waiting
      )
    return self._graphs[precision]

  def _first_probabilities(self, graph: ScoringGraph) -> np.ndarray:
    """Class probabilities of the first inputs of each view, at the first scale."""
    found: list[np.ndarray] = []
    for view in views.all_parts(self._config.views):
      batches = graph.batches(view, self._config.test_scales[0])
      found += precision_proof.first_rows(batch.scores for batch in batches)
    return results.as_probabilities(np.array(found), self._config.average)

  def _num_scored(self) -> int:
    """Number of crops, without their flips, that `score` computes."""
    crops = sum(map(views.num_crops, views.all_parts(self._config.views)))
    return self._num_images * len(self._config.test_scales) * crops

  def _image_name(self, indices: np.ndarray, row: int) -> str:
    index = int(indices[row])
    name, _ = next(itertools.islice(records.read_examples(self._paths), index, None))
    return name or f'number {index}'


def _step(checkpoint: str) -> int | None:
  stored = search.shapes(checkpoint)
  return search.global_step(checkpoint) if 'global_step' in stored else None
