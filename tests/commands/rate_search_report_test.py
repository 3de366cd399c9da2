import csv
import math

import pytest

from vgg_slim.commands import rate_search_report as report
from vgg_slim.training.rate_finder import Found
from vgg_slim.training.rate_search import (
  DIVERGED,
  LEARNS,
  NOTHING,
  TOO_HIGH,
  Baseline,
  RangeTest,
  Trial,
)

BASELINE = Baseline(2.35, 2.3026, 0.01, 2.3026)
RATES = tuple(10.0**-n for n in range(6, -2, -1))
LOSSES = (2.31, 2.3, 2.3, 2.3, 2.3, 2.2, 2e9)


def trial(rate, outcome, end, highest=2.3, count=100):
  return Trial(rate, (2.3,) * count, outcome, end, highest)


LOW = trial(0.001, NOTHING, 2.3)
OWN = trial(0.004, LEARNS, 2.2)
BEST = trial(0.01, LEARNS, 1.7)
HIGH = trial(0.04, TOO_HIGH, 2.31, 2.6)
HIGHEST = trial(0.4, DIVERGED, math.inf, 9.0, 7)
FLAT = RangeTest(None, None, 1.0)


def found(*trials, range_test=FLAT, is_complete=True):
  return Found(RATES, LOSSES, BASELINE, range_test, trials, is_complete)


def test_a_suggestion_has_its_reason_and_the_own_rate_a_verdict():
  assert report.conclusion(found(LOW, OWN, BEST, HIGH), 0.004) == [
    'Range test: no descent beyond the noise of the batches, divergence at 1.',
    'Take --learning_rate=0.005: 0.01 has the lowest loss after 100 steps, 1.7000 (guessing: '
    '2.3026); 0.04 is too high: the loss rises to 2.6000 and ends at 2.3100, so half of the best '
    'rate is safer.',
    "The run's --learning_rate=0.004 is in range.",
  ]


@pytest.mark.parametrize(
  ('own', 'verdict'),
  [
    (BEST, "The run's --learning_rate=0.01 is in range."),
    (LOW, "The run's --learning_rate=0.001 is too low: its loss ends at 2.3000."),
    (
      HIGH,
      "The run's --learning_rate=0.04 is too high: the loss rises to 2.6000 and ends at 2.3100.",
    ),
    (HIGHEST, "The run's --learning_rate=0.4 diverges within 7 steps."),
  ],
)
def test_each_outcome_of_the_own_rate_has_words(own, verdict):
  assert report.conclusion(found(LOW, BEST, HIGH, HIGHEST), own.rate)[-1] == verdict


def test_the_range_test_is_put_into_words():
  reading = RangeTest(0.02, 0.1, None)
  [line, *_] = report.conclusion(found(BEST, range_test=reading), 0.01)
  assert line == (
    'Range test: steepest descent at 0.02, lowest loss at 0.1, no divergence up to 10.'
  )


def test_without_a_rate_that_learns_the_way_out_is_named():
  lines = report.conclusion(found(LOW, trial(0.01, NOTHING, 2.29), HIGH), 0.01)
  assert lines[1].startswith('No rate has learned anything in 100 steps (guessing: 2.3026). Give m')
  assert lines[1].endswith(
    'Until then, 0.01 is the best guess; 0.04 is too high: the loss rises to 2.6000 and ends at '
    '2.3100.'
  )
  assert report.suggested_rate(found(LOW, HIGH)) is None
  assert report.suggested_rate(found()) is None
  resumed = found(LOW)._replace(checkpoint='run/model.ckpt-9')
  assert (
    'or --overwrite, which removes nothing here, for a search' in report.conclusion(resumed, 1)[1]
  )
  assert lines[2] == "The run's --learning_rate=0.01 is not decided: its loss ends at 2.2900."


def test_rates_that_are_all_too_high_are_no_guess():
  lines = report.conclusion(found(HIGH, HIGHEST), 0.4)
  assert lines[1].startswith('Every rate that was tried is too high or diverges, down to 0.04.')
  assert lines[2] == "The run's --learning_rate=0.4 diverges within 7 steps."


def test_an_incomplete_search_says_so():
  assert report.conclusion(found(OWN, is_complete=False), 0.004)[-1].startswith('The time was over')
  lines = report.conclusion(found(range_test=None, is_complete=False), 0.004)
  assert [line[:17] for line in lines] == ['The time was over']


def test_tables_show_rates_and_trials_within_80_columns(capsys):
  report.print_tables(found(LOW, OWN, BEST, HIGH, HIGHEST))
  lines = capsys.readouterr().out.splitlines()
  assert max(map(len, lines)) < 80
  rows = [line.split() for line in lines]
  assert ['1e-06', '2.3100', '2.3100'] in rows
  assert ['1', '2.0e+09', '3.8e+08'] in rows
  assert ['10', '-', '-'] not in rows  # the step was not made
  assert ['0.01', 'learns', '100', '2.3000', '2.3000', '1.7000'] in rows
  assert ['0.4', 'diverges', '7', '2.3000', '9.0000', '-'] in rows


def test_the_csv_holds_every_loss():
  rows = list(csv.DictReader(report.csv(found(OWN, HIGHEST)).decode().splitlines()))
  assert len(rows) == len(LOSSES) + 107
  assert list(rows[5].values()) == ['range test', '6', '0.1', '2.2', rows[5]['smoothed_loss']]
  assert [row['learning_rate'] for row in rows[-8:]] == ['0.004', *['0.4'] * 7]
  assert rows[-1]['step'] == '7'


def test_the_figure_marks_the_own_rate_and_the_suggestion():
  drawn = report.drawing(found(LOW, OWN, BEST, HIGH), 0.004, 'svg').decode()
  for label in ("the run's: 0.004", 'suggested: 0.005', 'divergence: 1', '0.04: too high'):
    assert f'<!-- {label} -->' in drawn
