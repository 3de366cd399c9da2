"""Work on the machines of an Apache Beam runner. No TensorFlow."""

import pickle
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from vgg_slim.errors import ConfigError, DataError

Item = TypeVar('Item')


class Runner(NamedTuple):
  """Whom Beam hands the work to.

  Attributes:
    name: such as 'DirectRunner' (this machine), 'FlinkRunner', 'SparkRunner' or 'DataflowRunner'.
    options: flags of Beam and of the runner, such as '--flink_master=host:8081'.
  """

  name: str
  options: tuple[str, ...] = ()


def for_each(function: Callable[[Item], None], items: Iterable[Item], runner: Runner) -> None:
  """Calls `function(item)` for each item, in any order, perhaps more than once, and waits.

  Args:
    function: like the items it is pickled and sent to the workers, which import this library.
    items: are all in memory at once.
    runner: see `Runner`.

  Raises:
    ConfigError: Beam is not installed.
    DataError: the runner cannot be had, or `function` failed after all of its attempts.
  """
  try:
    import apache_beam as beam
    from apache_beam.options import pipeline_options
  except ImportError as error:
    raise ConfigError(
      f'runner={runner.name} needs Apache Beam, which is not installed: pip install '
      "'vgg_slim[beam]', in an environment of its own."
    ) from error

  def work(pickled: bytes) -> None:
    function(pickle.loads(pickled))

  # As bytes, since Beam would take named tuples apart.
  pickled = [pickle.dumps(item) for item in items]
  options = pipeline_options.PipelineOptions(list(runner.options), runner=runner.name)
  try:
    with beam.Pipeline(options=options) as pipeline:
      _ = pipeline | beam.Create(pickled) | beam.Reshuffle() | beam.Map(work)
  # Every runner has errors of its own.
  except Exception as error:
    raise DataError(f'Beam, {runner.name}: {error}') from error
