"""Runs a function on the workers of an Apache Beam runner. No TensorFlow."""

import pickle
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from vgg_slim.errors import ConfigError, DataError

Item = TypeVar('Item')


class Runner(NamedTuple):
  """The Beam runner that executes the work.

  Attributes:
    name: name of the runner: 'DirectRunner' (this machine), 'FlinkRunner', 'SparkRunner',
      'DataflowRunner' ...
    options: command-line flags of Beam and of the runner, such as '--flink_master=host:8081'.
  """

  name: str
  options: tuple[str, ...] = ()


def for_each(function: Callable[[Item], None], items: Iterable[Item], runner: Runner) -> None:
  """Calls `function(item)` for every item, in any order and perhaps more than once, and waits.

  Args:
    function: function to call. It and the items are pickled and sent to the workers, which import
      this library.
    items: arguments of the calls; all are in memory at once.
    runner: runner that executes the calls.

  Raises:
    ConfigError: Beam is not installed.
    DataError: the runner is not available, or `function` failed in every attempt.
  """
  try:
    import apache_beam as beam
    from apache_beam.options import pipeline_options
  except ImportError as error:
    raise ConfigError(
      f'runner={runner.name} needs Apache Beam, which is not installed. In an '
      'environment of its own, see docs/distributed.md: python -m pip install apache-beam'
    ) from error

  def call(pickled: bytes) -> None:
    function(pickle.loads(pickled))

  # Items travel as bytes because Beam would unpack named tuples.
  pickled = [pickle.dumps(item) for item in items]
  options = pipeline_options.PipelineOptions(list(runner.options), runner=runner.name)
  try:
    with beam.Pipeline(options=options) as pipeline:
      _ = pipeline | beam.Create(pickled) | beam.Reshuffle() | beam.Map(call)
  # Every runner raises exceptions of its own.
  except Exception as error:
    raise DataError(f'Beam, {runner.name}: {error}') from error
