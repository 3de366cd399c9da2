"""Trains, evaluates, predicts and builds networks for long, and measures what grows.

    python -m tests.soak --scale=1      (or `make soak`; a quarter of an hour of one core)

Resident memory, file descriptors, threads and the operations of the graph are sampled about a
hundred times in each part. What the first fifth of a part takes is its warm-up; lines are fitted to
the samples of the rest. A part fails if one of its slopes is larger than what it is allowed.
"""

import argparse
import contextlib
import csv
import dataclasses
import io
import itertools
import math
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import PIL.Image

from tests import testing
from vgg_slim import api
from vgg_slim.compat import tf
from vgg_slim.data import manifest
from vgg_slim.evaluation.results import EvalResult

_SAMPLES = 100
_WARM_UP = 0.2  # of the units of a part
# Growth in a whole part that is allowed: TensorFlow starts threads when it first needs them.
_MOST_COUNTED = {'descriptors': 1, 'threads': 4, 'operations': 0}
_STANDARD_ERRORS = 2
_PER_CLASS = 200  # images; an epoch has 90 steps
_CHANNELS = 2  # of the first stage; a step takes some milliseconds


class Sample(NamedTuple):
  """The state of the process after `units` units of work; `operations` are those of the graph."""

  units: int
  resident: int
  descriptors: int
  threads: int
  operations: int


class Slope(NamedTuple):
  """Growth per unit by least squares, and its standard error."""

  value: float
  error: float

  @classmethod
  def fit(cls, samples: Sequence[Sample], name: str) -> 'Slope':
    """Fits a line to one quantity of at least three samples."""
    x = np.array([sample.units for sample in samples], float)
    y = np.array([getattr(sample, name) for sample in samples], float)
    dx = x - x.mean()
    slope = dx @ (y - y.mean()) / (dx @ dx)
    residuals = y - y.mean() - slope * dx
    return cls(float(slope), float(np.sqrt(residuals @ residuals / (len(x) - 2) / (dx @ dx))))

  def exceeds(self, limit: float) -> bool:
    """Whether the growth is larger than `limit` beyond chance."""
    return bool(self.value - _STANDARD_ERRORS * self.error > limit)


Watch = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Part:
  """One kind of work.

  Attributes:
    unit: what is counted.
    units: number of units at scale 1.
    most_bytes: allowed growth of resident memory per unit. Allocators keep pieces of what they
      free, so that it is never exactly 0.
    work: does the work in a folder, and calls its watch with the units done and the operations of
      the graph.
  """

  unit: str
  units: int
  most_bytes: int
  work: Callable[[pathlib.Path, int, Watch], None]


@dataclasses.dataclass
class Result:
  """The samples of a part.

  Attributes:
    part: the part.
    units: number of units done.
    seconds: duration.
    samples: one sample at the start, and those of the work.
  """

  part: Part
  units: int
  seconds: float
  samples: list[Sample]

  @property
  def steady(self) -> list[Sample]:
    """The samples after the warm-up."""
    return [sample for sample in self.samples if sample.units > _WARM_UP * self.units]

  def slopes(self) -> dict[str, Slope]:
    return {name: Slope.fit(self.steady, name) for name in ('resident', *_MOST_COUNTED)}

  def faults(self) -> list[str]:
    """What grew, as names of quantities."""
    slopes, span = self.slopes(), self.steady[-1].units - self.steady[0].units
    grown = [name for name, most in _MOST_COUNTED.items() if slopes[name].exceeds(most / span)]
    return grown + ['resident'] * slopes['resident'].exceeds(self.part.most_bytes)

  def text(self) -> str:
    """One row of the table."""
    slopes, first, last = self.slopes(), self.steady[0], self.steady[-1]
    cells = [
      f'{self.units:,} {self.part.unit}',
      f'{self.seconds:.0f} s',
      f'{first.resident / 2**20:.0f} to {last.resident / 2**20:.0f} MiB',
      f'{slopes["resident"].value:+.0f} ± {_STANDARD_ERRORS * slopes["resident"].error:.0f} bytes',
      *(f'{getattr(last, name)} ({slopes[name].value:+.2g})' for name in _MOST_COUNTED),
      ', '.join(self.faults()) + ' GREW' if self.faults() else 'flat',
    ]
    return f'| {" | ".join(cells)} |'


HEADER = (
  '| work | duration | resident memory | growth per unit | descriptors | threads | operations | '
  'verdict |\n|---|---|---|---|---|---|---|---|'
)


def take_sample(units: int, operations: int) -> Sample:
  """Measures this process; Linux only."""
  pages = int(pathlib.Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
  return Sample(
    units,
    pages * os.sysconf('SC_PAGE_SIZE'),
    len(os.listdir('/proc/self/fd')),
    len(os.listdir('/proc/self/task')),
    operations,
  )


def run_part(part: Part, folder: pathlib.Path, scale: float) -> Result:
  """Does the work of a part, `scale` times its units."""
  units = max(10, round(part.units * scale))
  every = max(1, units // _SAMPLES)
  samples = [take_sample(0, 0)]

  def watch(done: int, operations: int) -> None:
    if done - samples[-1].units >= every:
      samples.append(take_sample(done, operations))

  started = time.monotonic()
  part.work(folder, units, watch)
  return Result(part, units, time.monotonic() - started, samples)


class _EpochLines(io.StringIO):
  """A stream for the lines of a quiet run, one at the end of each epoch."""

  def __init__(self, on_epoch: Callable[[], None]) -> None:
    super().__init__()
    self._on_epoch = on_epoch

  def write(self, text: str) -> int:
    if text.startswith('epoch '):
      self._on_epoch()
    return len(text)


def train(folder: pathlib.Path, units: int, watch: Watch) -> None:
  """Trains with everything that hooks do at the ends of epochs; the unit is a step.

  TensorFlow finalizes the graph of a training session, so that no operation can be added to it.
  """
  data_dir = str(folder / 'data')
  photos = manifest.read_manifest(data_dir)
  settings = testing.train_config(
    data_dir,
    photos,
    max_steps=units,
    keep_best=True,
    log_every_steps=10,
    histogram_every_steps=100,
    image_summary_every_steps=100,
  )
  settings = dataclasses.replace(
    settings,
    net=dataclasses.replace(settings.net, model=f'vgg_a@{_CHANNELS}'),
    optimizer=dataclasses.replace(settings.optimizer, moving_average_decay=0.99),
  )
  steps = itertools.count(1)
  per_epoch = photos.split('train').num_examples / settings.run.batch_size
  lines = _EpochLines(lambda: watch(min(units, round(next(steps) * per_epoch)), 0))
  with contextlib.redirect_stdout(lines):
    result = api.train(settings, folder / 'run', quiet=True)
  assert result.step == units, result


def evaluate(folder: pathlib.Path, units: int, watch: Watch) -> None:
  """Evaluates the trained network again and again with one evaluator, densely and by crops."""
  with api.Evaluator(str(folder / 'run'), views=('dense', 'center')) as evaluator:
    first = _untimed(evaluator.evaluate())
    for done in range(1, units + 1):
      assert _untimed(evaluator.evaluate()) == first
      watch(done, sum(_operations(one.graph) for one in evaluator._graphs.values()))


def predict(folder: pathlib.Path, units: int, watch: Watch) -> None:
  """Predicts files of several sizes with one predictor, whose answers must not change."""
  files = [str(path) for path in sorted((folder / 'photos').iterdir())]
  with api.Predictor(str(folder / 'run'), flip=True) as predictor:
    first = predictor.predict(files)
    for done in range(len(files), units + 1, len(files)):
      assert predictor.predict(files) == first
      watch(done, _operations(predictor._session.graph))


def build(folder: pathlib.Path, units: int, watch: Watch) -> None:
  """Opens the trained network, uses it once and closes it."""
  file = str(next((folder / 'photos').iterdir()))
  for done in range(1, units + 1):
    with api.Predictor(str(folder / 'run')) as predictor:
      predictor.predict([file])
      watch(done, _operations(predictor._session.graph))


def _untimed(results: Mapping[str, EvalResult]) -> dict[str, EvalResult]:
  return {
    view: dataclasses.replace(result, images_per_second=0) for view, result in results.items()
  }


def _operations(graph: tf.Graph) -> int:
  return len(graph.get_operations())


def make_inputs(folder: pathlib.Path, scale: float) -> None:
  """Makes the data set, and images of several sizes; short runs have short epochs."""
  per_class = max(10, round(_PER_CLASS * min(1, scale)))
  testing.make_data_set(folder / 'data', per_class, validation_fraction=0.1)
  photos = folder / 'photos'
  photos.mkdir()
  rng = np.random.default_rng(0)
  for i, (height, width) in enumerate([(40, 40), (40, 60), (60, 40), (100, 80)] * 4):
    pixels = rng.integers(0, 256, [height, width, 3], dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(photos / f'{i}.{"png" if i % 2 else "jpg"}')


PARTS = (
  Part('training steps', 10_000, 1_000, train),
  Part('evaluations', 1_000, 10_000, evaluate),
  Part('predictions', 20_000, 500, predict),
  Part('networks built and closed', 200, 100_000, build),
)


def soak(folder: pathlib.Path, scale: float, parts: Sequence[Part] = PARTS) -> list[Result]:
  """Does all parts after another, and prints a row for each."""
  make_inputs(folder, scale)
  print(HEADER)
  results = []
  for part in parts:
    results.append(run_part(part, folder, scale))
    print(results[-1].text(), flush=True)
  return results


def _positive(text: str) -> float:
  value = float(text)
  if not 0 < value < math.inf:
    raise ValueError
  return value


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(description='Measures what grows in long runs.')
  parser.add_argument('--scale', type=_positive, default=1, help='of the number of units')
  parser.add_argument('--csv', help='file for all samples')
  return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
  parsed = parse_arguments(arguments)
  with tempfile.TemporaryDirectory(prefix='soak_') as folder:
    results = soak(pathlib.Path(folder), parsed.scale)
  if parsed.csv:
    with open(parsed.csv, 'w', encoding='utf-8', newline='') as stream:
      rows = csv.writer(stream)
      rows.writerow(['work', *Sample._fields])
      rows.writerows([r.part.unit, *sample] for r in results for sample in r.samples)
  if any(result.faults() for result in results):
    sys.exit(1)


if __name__ == '__main__':
  main()
