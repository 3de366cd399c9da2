"""The part of tools/train that searches a learning rate instead of training."""

import os
import pathlib
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import installation, invocation, progress
from vgg_slim.commands.flags import field_flags, flag_groups
from vgg_slim.commands.run_plan import RunPlan
from vgg_slim.configs import rate_finder as configs
from vgg_slim.configs.rate_finder import RateFinderConfig
from vgg_slim.errors import ConfigError
from vgg_slim.reporting import Reporter
from vgg_slim.training import cluster
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow
  from vgg_slim.training.rate_finder import Found

flags.disclaim_key_flags()

_SWITCH, _OUTPUT = 'find_learning_rate', 'find_output'


def define_flags() -> None:
  """Defines --find_learning_rate and its settings."""
  flags.DEFINE_bool(
    _SWITCH,
    False,
    'Search a learning rate instead of training, with the other flags of the run: a range test, '
    'then short trials, all from the start of the run or from its newest checkpoint. With --phase '
    'the rate is that of the first phase. Nothing in --train_dir is changed.',
  )
  flags.DEFINE_string(
    _OUTPUT,
    None,
    'Figure to write, .png, .pdf or .svg, with a .csv file of the same name beside it. Defaults to '
    'learning_rate.png in the new folder TRAIN_DIR_learning_rate.',
  )
  for name in (_SWITCH, _OUTPUT):
    flag_groups.set_heading(name, configs.HEADING)
  field_flags.define(RateFinderConfig)


def is_requested() -> bool:
  """Whether --find_learning_rate is given.

  Raises:
    ConfigError: settings of the search are given without it.
  """
  if flags.FLAGS[_SWITCH].value:
    return True
  given = [*field_flags.given(RateFinderConfig), *[_OUTPUT] * field_flags.is_given(_OUTPUT)]
  if given:
    names = ', '.join(f'--{name}' for name in given)
    raise ConfigError(f'{names}: no effect without --{_SWITCH}.')
  return False


def run(plan: RunPlan, overwrite: bool) -> None:
  """Searches, and prints and writes what it has found.

  Args:
    plan: run whose learning rate is searched.
    overwrite: whether the run starts at step 0, whatever its folder holds.

  Raises:
    ConfigError: a setting of the search is not allowed, or it would run on several machines.
    OutputError: a file cannot be written.
    KeyboardInterrupt: a signal has ended the search; what was found by then is printed and written.
  """
  options = field_flags.from_flags(RateFinderConfig)
  if cluster.read_cluster():
    raise ConfigError(f'--{_SWITCH} cannot be used with TF_CONFIG; run it on one machine.')
  figure = pathlib.Path(flags.FLAGS[_OUTPUT].value or _default_figure(plan.train_dir))
  kind = output_files.check_suffix(f'--{_OUTPUT}', str(figure), output_files.DRAWINGS)
  table = figure.with_suffix('.csv')
  written = {f'--{_OUTPUT}': str(figure), f'the table of --{_OUTPUT}': str(table)}
  if flags.FLAGS[_OUTPUT].value or figure.parent.is_dir():
    output_files.check_outputs(written)
  else:
    output_files.check_outputs(folders={f'--{_OUTPUT}': str(figure.parent)})

  invocation.load_tensorflow()
  from vgg_slim import sessions
  from vgg_slim.training import rate_finder

  sessions.configure(plan.config.runtime)
  reporter = progress.reporter()
  train = plan.manifest.split('train')
  own = plan.config.optimizer.learning_rate
  reporter.line(
    f'Searching a learning rate for {plan.config.net.model} with {plan.config.optimizer.optimizer} '
    f'on {counted(train.num_examples, "image")}; nothing is trained in {plan.train_dir}.'
  )
  for line in plan.ignored:
    reporter.line(line)
  found = rate_finder.run_search(
    plan.config, plan.manifest, plan.train_dir, options, reporter, overwrite
  )
  _show(found, own, kind[1:], written, reporter)
  if found.stopped_by:
    raise KeyboardInterrupt(signal.Signals[found.stopped_by])


def _show(
  found: 'Found', own: float, kind: str, written: Mapping[str, str], reporter: Reporter
) -> None:
  """Prints what was found, and writes a figure of format `kind` and a table to the files."""
  from vgg_slim.commands import rate_search_report as report

  report.print_tables(found)
  for line in report.conclusion(found, own):
    reporter.line(installation.localize(line))
  reporter.event('suggestion', learning_rate=report.suggested_rate(found))
  for path in written.values():
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
  contents = (report.drawing(found, own, kind), report.csv(found))
  with output_files.open_outputs(written) as streams:
    for stream, content in zip(streams.values(), contents, strict=True):
      stream.write(content)
      stream.flush()  # a full disk shows before either file is replaced
  reporter.line(f'Wrote {" and ".join(written.values())}.')


def _default_figure(train_dir: str) -> str:
  folder = os.path.normpath(train_dir)
  if os.path.basename(folder) in (os.curdir, os.pardir):  # no name to add to
    folder = os.path.realpath(folder)
  return os.path.join(f'{folder}_learning_rate', 'learning_rate.png')
