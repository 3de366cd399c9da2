"""Hooks that act on validations: decay on plateau, best checkpoint, early stopping.

Their counters are saved in every checkpoint. A checkpoint is written before its own validation, so
that a resumed run repeats the validation.
"""

import os
import pathlib
import shutil

from vgg_slim import files
from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf
from vgg_slim.configs.config import BEST_FOLDER, CONFIG_FILE, OptimizerConfig, RunConfig
from vgg_slim.reporting import Reporter
from vgg_slim.training.hooks.base import EpochEnd, Hook
from vgg_slim.training.hooks.host_state import HostState
from vgg_slim.training.hooks.patience import COUNTERS, LATER_COUNTERS, UNKNOWN, Patience


class Plateau(Hook):
  """Decays the learning rate when validation stops improving (Simonyan & Zisserman, 3.1)."""

  def __init__(
    self,
    optimizer: OptimizerConfig,
    metric: str,
    scale: tf.Variable | None,
    reporter: Reporter,
  ) -> None:
    """Adds the counters to the checkpoint.

    Args:
      optimizer: config with patience, decay factor and number of decays.
      metric: metric to compare, one of BEST_METRICS.
      scale: variable factor of the learning rate; None for other schedules, where the hook does
        nothing.
      reporter: receiver of a line about each decay.
    """
    self._settings, self._scale, self._reporter = optimizer, scale, reporter
    counters = {**COUNTERS, 'falls': 0, **LATER_COUNTERS, 'learning_rate': UNKNOWN, 'scale': 1.0}
    self._patience = Patience('plateau', metric, optimizer.plateau_min_delta, counters)
    self.state: HostState = self._patience.state
    self.needs_validation = scale is not None
    if scale is not None:
      self._feed = tf.placeholder(tf.float32, [])
      self._assign = scale.assign(self._feed)

  def begin(self, session: tf.Session, step: int) -> None:
    change = self._patience.read(session)
    if self._scale is None:
      return
    if change:
      self._reporter.line(f'plateau: {change}.')
    self._restore_rate()
    session.run(self._assign, {self._feed: self.state['scale']})

  def _restore_rate(self) -> None:
    """Continues at the decayed rate, or starts again if --learning_rate has changed."""
    settings, before = self._settings, self.state['learning_rate']
    rate, falls = settings.learning_rate, self.state['falls']
    if before == UNKNOWN:
      self.state.update(scale=settings.learning_rate_decay_factor**falls)
    elif before != rate:
      self.state.update(scale=1.0, falls=0, waited=0)
      self._reporter.line(
        f'plateau: starts again at the new learning rate {rate:g}, with no decays so far.'
      )
    self.state.update(learning_rate=rate)
    if self.state['falls']:
      rate *= self.state['scale']
      self._reporter.line(
        f'plateau: the learning rate has been decayed to {rate:g} '
        f'({falls:.0f} of {settings.plateau_max_falls} decays).'
      )

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    if self._scale is None or end.validation is None or not end.is_complete:
      return
    if self._patience.record_epoch(end.validation, end.step):
      return
    waited, falls, settings = self.state['waited'], self.state['falls'], self._settings
    if waited >= settings.plateau_patience and falls < settings.plateau_max_falls:
      scale = self.state['scale'] * settings.learning_rate_decay_factor
      self.state.update(waited=0, falls=falls + 1, scale=scale)
      session.run(self._assign, {self._feed: scale})
      self._reporter.line(
        f'No improvement on {self._patience.text}: the learning rate is decayed to '
        f'{settings.learning_rate * scale:g}.'
      )


class KeepBest(Hook):
  """Keeps the checkpoint of the best complete epoch in `train_dir/best`."""

  def __init__(self, run: RunConfig, train_dir: str, reporter: Reporter) -> None:
    self._is_on, self._train_dir, self._reporter = run.keep_best, train_dir, reporter
    self._patience = Patience('best', run.best_metric)
    self.state: HostState = self._patience.state
    self.needs_validation = run.keep_best

  def begin(self, session: tf.Session, step: int) -> None:
    change = self._patience.read(session)
    if change and self._is_on:
      self._reporter.line(f'keep_best: {change}.')

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    if not self._is_on or end.validation is None or not end.is_complete:
      return
    if self._patience.record_epoch(end.validation, end.step):
      keep_checkpoint(end.checkpoint, pathlib.Path(self._train_dir, BEST_FOLDER))
      self._reporter.line(f'Best so far: {self._patience.text}.')


class EarlyStopping(Hook):
  """Ends a run that has not improved for `early_stop_patience` epochs."""

  def __init__(self, run: RunConfig, reporter: Reporter) -> None:
    self._run, self._reporter = run, reporter
    self._patience = Patience('early_stop', run.best_metric, run.early_stop_min_delta)
    self.state: HostState = self._patience.state
    self.needs_validation = run.early_stop_patience is not None

  def begin(self, session: tf.Session, step: int) -> None:
    change = self._patience.read(session)
    if change and self.needs_validation:
      self._reporter.line(f'early_stop_patience: {change}.')

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    if not self.needs_validation or end.validation is None or not end.is_complete:
      return
    self._patience.record_epoch(end.validation, end.step)
    self.stop_reason = self._patience.stop_reason(self._run.early_stop_patience)


def keep_checkpoint(checkpoint: str, folder: pathlib.Path) -> None:
  """Makes `folder` a train_dir with this checkpoint alone.

  Files are hard-linked where the file system supports it, and copied otherwise. If the process is
  killed, the newest checkpoint of `folder` is the old one or the new one, and is intact.
  """
  folder.mkdir(exist_ok=True)
  source = pathlib.Path(checkpoint)
  for path in sorted(source.parent.glob(f'{source.name}.*')):
    _link(path, folder / path.name)
  config = source.parent / CONFIG_FILE
  if config.is_file():
    _link(config, folder / CONFIG_FILE)
  files.sync(folder)
  prefixes.write_state(str(folder), [source.name])
  for prefix in prefixes.list_candidates(str(folder)):
    if os.path.basename(prefix) != source.name:
      prefixes.remove(prefix)


def renew_config(train_dir: str) -> None:
  """Gives the best checkpoint, if one is kept, the `config.json` that the run has now.

  A resumed run may read its data set from another folder, and need not have a new best epoch.
  """
  best = pathlib.Path(train_dir, BEST_FOLDER)
  if (best / CONFIG_FILE).is_file():
    _link(pathlib.Path(train_dir, CONFIG_FILE), best / CONFIG_FILE)
    files.sync(best)


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
  """Replaces `target` atomically by a hard link to `source`, or by a copy."""
  if target.exists() and target.samefile(source):
    return
  temporary = target.with_name(f'.{target.name}.tmp')
  temporary.unlink(missing_ok=True)
  try:
    os.link(source, temporary)
  except OSError:
    shutil.copy2(source, temporary)
    files.sync(temporary)
  temporary.replace(target)
