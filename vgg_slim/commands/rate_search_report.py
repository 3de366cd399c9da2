"""Prints and writes what a search for a learning rate has found."""

import io
import math
from typing import TYPE_CHECKING

import numpy as np

from vgg_slim import csv_text
from vgg_slim.commands import terminal_tables
from vgg_slim.training import rate_search
from vgg_slim.training.rate_search import Suggestion, Trial
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow
  from vgg_slim.training.rate_finder import Found

_ROWS = 14  # of the table of the range test
_CSV_HEADINGS = ('part', 'step', 'learning_rate', 'loss', 'smoothed_loss')


def print_tables(found: 'Found') -> None:
  """Prints loss against rate in the range test, and the trials."""
  smoothed = rate_search.smooth(found.losses)
  rows: list[tuple[str, ...]] = []
  for part in np.array_split(np.arange(len(found.rates)), min(_ROWS, len(found.rates))):
    made = [i for i in part if i < len(found.losses)]
    if made:
      mean = float(np.mean([found.losses[i] for i in made]))
      rows.append((f'{found.rates[made[-1]]:.2g}', _number(mean), _number(smoothed[made[-1]])))
  range_headings = ('up to rate', 'mean loss', 'smoothed loss')
  terminal_tables.print_table(range_headings, rows, 'Range test: one step at each rate')
  if not found.trials:
    return
  rows = [
    (f'{trial.rate:g}', trial.outcome, str(len(trial.losses)), *map(_number, _losses(trial)))
    for trial in found.trials
  ]
  headings = ('learning rate', 'outcome', 'steps', 'first loss', 'highest', 'last quarter')
  title = f'Trials: up to {max(len(t.losses) for t in found.trials)} steps at a constant rate'
  terminal_tables.print_table(headings, rows, title, text_columns=2)


def _losses(trial: Trial) -> tuple[float, float, float]:
  return trial.losses[0], trial.highest, trial.end


def _number(loss: float) -> str:
  if not math.isfinite(loss):
    return '-'
  return f'{loss:.4f}' if loss < 1000 else f'{loss:.1e}'


def conclusion(found: 'Found', own: float) -> list[str]:
  """Returns lines that say which rate to take, why, and what becomes of the run's own.

  Args:
    found: result of the search.
    own: learning rate of the run.
  """
  lines = [_range_test_line(found)] if found.range_test else []
  unfinished = _INTERRUPTED if found.stopped_by else _TIME_OVER
  if not found.trials:
    return [*lines, unfinished]
  trials = {trial.rate: trial for trial in found.trials}
  suggestion = rate_search.suggest(trials)
  lines += _suggestion_lines(suggestion, found)
  if own in trials:
    lines.append(_own_line(trials[own], suggestion, found))
  return lines if found.is_complete else [*lines, unfinished]


def suggested_rate(found: 'Found') -> float | None:
  """Returns the rate to take; None if no rate has learned anything."""
  if not found.trials:
    return None
  suggestion = rate_search.suggest({trial.rate: trial for trial in found.trials})
  return suggestion.rate if suggestion.is_certain else None


_TIME_OVER = (
  'The time was over before the search was complete: give more --find_minutes, or fewer '
  '--find_steps.'
)
_INTERRUPTED = 'Interrupted before the search was complete: this is what was finished.'


def _range_test_line(found: 'Found') -> str:
  reading = found.range_test
  if reading is None:
    return ''
  steepest = (
    f'steepest descent at {reading.steepest:.2g}, lowest loss at {reading.lowest:.2g}'
    if reading.steepest is not None and reading.lowest is not None
    else 'no descent beyond the noise of the batches'
  )
  end = (
    f'divergence at {reading.diverged:.2g}'
    if reading.diverged is not None
    else f'no divergence up to {found.rates[-1]:g}'
  )
  return f'Range test: {steepest}, {end}.'


def _suggestion_lines(suggestion: Suggestion, found: 'Found') -> list[str]:
  best, breaks = suggestion.best, suggestion.breaks
  steps = max(len(trial.losses) for trial in found.trials)
  if best.outcome in rate_search.TOO_HIGH_OR_WORSE:
    return [
      f'Every rate that was tried is too high or diverges, down to {best.rate:g}. Look at the '
      'images, --pixel_scale and --initializer, or run tools/doctor with the same flags.'
    ]
  if not suggestion.is_certain:
    line = (
      f'No rate has learned anything in {steps} steps (guessing: {found.baseline.guessing:.4f}). '
      f'Give more --find_steps{_other_ways(found)}. Until then, {best.rate:g} is the best guess'
    )
    return [f'{line}; {breaks.rate:g} {_fate(breaks)}.' if breaks else f'{line}.']
  line = (
    f'Take --learning_rate={suggestion.rate:g}: {best.rate:g} has the lowest loss after {steps} '
    f'steps, {best.end:.4f} (guessing: {found.baseline.guessing:.4f})'
  )
  if breaks:
    line += f'; {breaks.rate:g} {_fate(breaks)}'
  if suggestion.has_margin:
    line += ', so half of the best rate is safer'
  return [f'{line}.']


def _other_ways(found: 'Found') -> str:
  if found.checkpoint:
    return ', or --overwrite, which removes nothing here, for a search from scratch'
  return ', or train a network that starts more easily, such as one with batch norm'


def _fate(trial: Trial) -> str:
  if trial.outcome == rate_search.DIVERGED:
    return f'diverges within {counted(len(trial.losses), "step")}'
  return f'is too high: the loss rises to {trial.highest:.4f} and ends at {trial.end:.4f}'


def _own_line(trial: Trial, suggestion: Suggestion, found: 'Found') -> str:
  start = f"The run's --learning_rate={trial.rate:g} is"
  if rate_search.is_in_range(trial, suggestion, found.baseline):
    return f'{start} in range.'
  if trial.outcome in rate_search.TOO_HIGH_OR_WORSE:
    return f"The run's --learning_rate={trial.rate:g} {_fate(trial)}."
  if not suggestion.is_certain:
    return f'{start} not decided: its loss ends at {trial.end:.4f}.'
  direction = 'low' if trial.rate < suggestion.best.rate else 'high'
  return f'{start} too {direction}: its loss ends at {trial.end:.4f}.'


def csv(found: 'Found') -> bytes:
  """Returns all losses as CSV."""
  rows: list[tuple[object, ...]] = [_CSV_HEADINGS]
  rates = found.rates[: len(found.losses)]
  parts = [('range test', rates, found.losses)]
  parts += [('trial', (trial.rate,) * len(trial.losses), trial.losses) for trial in found.trials]
  for name, rates, losses in parts:
    columns = zip(rates, losses, rate_search.smooth(losses), strict=True)
    for step, (rate, loss, smoothed) in enumerate(columns, start=1):
      rows.append((name, step, *(f'{number:.6g}' for number in (rate, loss, smoothed))))
  return csv_text.format_rows(rows).encode()


def drawing(found: 'Found', own: float, kind: str) -> bytes:
  """Returns the figure as a file.

  Args:
    found: result of the search.
    own: learning rate of the run.
    kind: format of the file: png, pdf or svg.
  """
  from vgg_slim.plotting import learning_rates

  marks = {f"the run's: {own:g}": own}
  rate = suggested_rate(found)
  if rate is not None:
    marks[f'suggested: {rate:g}'] = rate
  if found.range_test and found.range_test.diverged:
    marks[f'divergence: {found.range_test.diverged:.2g}'] = found.range_test.diverged
  figure = learning_rates.draw_search(
    found.rates[: len(found.losses)],
    learning_rates.Losses(found.losses, rate_search.smooth(found.losses)),
    {
      f'{trial.rate:g}: {trial.outcome}': learning_rates.Losses(
        trial.losses, rate_search.smooth(trial.losses)
      )
      for trial in found.trials
    },
    marks,
    found.baseline.guessing,
  )
  stream = io.BytesIO()
  figure.savefig(stream, format=kind)
  return stream.getvalue()
