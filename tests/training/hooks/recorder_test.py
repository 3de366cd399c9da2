import csv
import functools
import io
import json
import types

import pytest

from tests.testing import graph_session, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.reporting import JsonReporter, JsonStream, Reporter
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.history import read_history
from vgg_slim.training.hooks import progress
from vgg_slim.training.hooks.base import EpochEnd, Step, ValidationScores
from vgg_slim.training.hooks.recorder import Recorder
from vgg_slim.training.summaries import PeriodicSummary


def step(number, loss):
  scalars = {'loss': loss, 'total_loss': loss + 1, 'accuracy': loss / 10}
  return Step(number, {**scalars, 'learning_rate': 0.5**number})


def rows(train_dir):
  with (train_dir / 'metrics.csv').open(newline='') as stream:
    return [
      (int(r['step']), float(r['train_loss']), r['learning_rate']) for r in csv.DictReader(stream)
    ]


def a_recorder(train_dir, total_steps, **run):
  return Recorder(
    train_config('data', a_manifest(), log_every_steps=10, **run),
    Epochs(num_examples=16, batch_size=4),
    str(train_dir),
    total_steps,
    [PeriodicSummary(tf.constant(b''), 3), PeriodicSummary(tf.constant(b''), 0)],
    b'',
    Reporter(io.StringIO()),
  )


class Run:
  """A process that makes steps; `saved` stands in for the checkpoint."""

  def __init__(self, train_dir, total_steps=8):
    self.train_dir, self.total_steps = train_dir, total_steps

  def __call__(self, start, steps, saved=None, validation=None):
    with graph_session() as session:
      hook = a_recorder(self.train_dir, self.total_steps)
      session.run(tf.global_variables_initializer())
      variable = tf.global_variables()[0]
      if saved is not None:
        variable.load(saved, session)
      hook.begin(session, start)
      for number in range(start + 1, start + 1 + steps):
        fetches = hook.fetches(number)
        assert len(fetches) == (number % 3 == 1)
        hook.after_step(step(number, float(number)), session.run(fetches))
        if number % 4 == 0 and number < start + steps:
          hook.after_epoch(session, EpochEnd(number, 'x', True, validation))
      hook.before_save(session)
      saved = session.run(variable)
      last = start + steps
      if last % 4 == 0 or last == self.total_steps:
        hook.after_epoch(session, EpochEnd(last, 'x', last % 4 == 0, validation))
      hook.close()
      return saved


def test_the_averages_of_an_interrupted_epoch_cover_all_its_steps(tmp_path):
  run = Run(tmp_path)
  saved = run(0, 3)
  run(3, 1, saved)
  assert rows(tmp_path) == [(4, 2.5, '0.0625')]  # (1 + 2 + 3 + 4) / 4


def test_the_averages_of_each_epoch_cover_only_its_steps(tmp_path):
  Run(tmp_path)(0, 8)
  assert rows(tmp_path) == [(4, 2.5, '0.0625'), (8, 6.5, '0.00390625')]


def test_the_throughput_excludes_the_time_of_a_save(tmp_path, monkeypatch):
  now = 0.0
  monkeypatch.setattr(progress, 'Stopwatch', functools.partial(progress.Stopwatch, lambda: now))
  with graph_session() as session:
    hook = a_recorder(tmp_path, total_steps=4)
    session.run(tf.global_variables_initializer())
    hook.begin(session, 0)
    for number in (1, 2, 3, 4):
      hook.fetches(number)
      now += 0.5
      hook.after_step(step(number, 1.0), [b''] * (number in (1, 4)))
      if number == 2:
        hook.before_save(session)
        now += 100
    hook.after_epoch(session, EpochEnd(4, 'x', True, None))
    hook.close()
  with (tmp_path / 'metrics.csv').open(newline='') as stream:
    (row,) = csv.DictReader(stream)
  assert row['images_per_second'] == '8'  # 4 images in half a second


def test_a_row_within_an_epoch_is_replaced_by_the_complete_epoch(tmp_path):
  saved = Run(tmp_path, total_steps=2)(0, 2)
  assert rows(tmp_path) == [(2, 1.5, '0.25')]
  Run(tmp_path)(2, 2, saved)
  assert rows(tmp_path) == [(4, 2.5, '0.0625')]


@pytest.mark.parametrize('has_row', [True, False])
def test_a_repeated_end_of_an_epoch_has_the_same_row(tmp_path, has_row):
  saved = Run(tmp_path)(0, 4)
  before = rows(tmp_path)
  if not has_row:
    (tmp_path / 'metrics.csv').unlink()
  Run(tmp_path)(4, 0, saved)
  assert rows(tmp_path) == before


def test_numbers_are_logged_every_few_steps_and_at_the_last(tmp_path):
  Run(tmp_path, total_steps=12)(0, 12)
  logged = [
    (event.step, value.simple_value)
    for path in tmp_path.glob('events.out.tfevents.*')
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
    if value.tag == 'loss'
  ]
  assert logged == [(10, 10), (12, 12)]


@pytest.mark.parametrize(
  ('step', 'total', 'ends', 'saves'),
  [(1, 8, 2, 2), (1, 10, 3, 3), (8, 10, 2, 1), (9, 10, 1, 1), (10, 10, 1, 0), (8, 8, 1, 0)],
)
def test_the_rest_of_a_run_has_epoch_ends_and_saves_also_those_of_the_step(
  tmp_path, step, total, ends, saves
):
  with graph_session():
    hook = a_recorder(tmp_path, total, save_every_steps=3)
  asked = []
  hook._stopwatch = types.SimpleNamespace(estimate=lambda *rest: asked.append(rest))
  hook._estimate(step)
  ((steps, pauses),) = asked
  assert (steps, list(pauses.values())) == (total - step, [ends, saves])


def test_the_best_so_far_covers_all_processes_of_the_run(tmp_path):
  run = Run(tmp_path)
  saved = run(0, 4, validation=ValidationScores(0.5, 0.75, 0.625, 0.5))
  run(4, 4, saved, ValidationScores(0.25, 0.5, 0.5, 0.75))
  best = {
    value.tag: value.simple_value
    for path in tmp_path.glob('events.out.tfevents.*')
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
    if event.step == 8 and value.tag.startswith('best/')
  }
  assert best == {
    'best/accuracy': 0.75,
    'best/loss': 0.25,
    'best/balanced_accuracy': 0.625,
    'best/macro_f1': 0.75,
  }


def test_the_last_batch_does_not_count_as_another_epoch(tmp_path):
  with graph_session() as session:
    output = io.StringIO()
    hook = Recorder(
      train_config('data', a_manifest(), epochs=0.6),
      Epochs(num_examples=16, batch_size=4),
      *(str(tmp_path), 3, [], b'', Reporter(output)),
    )
    session.run(tf.global_variables_initializer())
    hook.begin(session, 2)
    hook.fetches(3)
    hook.after_step(step(3, 1.0), [])
    hook.after_epoch(session, EpochEnd(3, 'x', False, None))
    hook.close()
  assert 'epoch  0.60 ' in output.getvalue()  # 3 steps of 4 images are 0.75 epochs
  assert [row.epoch for row in read_history(str(tmp_path))] == [0.6]


def test_a_program_gets_the_numbers_of_people(tmp_path):
  """The remaining time covers the validation, which has taken 30 s, and the steps of 2 s."""
  now = [100.0]
  output = io.StringIO()
  with graph_session() as session:
    hook = Recorder(
      train_config('data', a_manifest(), log_every_steps=2, epochs=2.0),
      Epochs(num_examples=16, batch_size=4),
      *(str(tmp_path), 8, [], b'', JsonReporter(JsonStream(output))),
    )
    hook._stopwatch = progress.Stopwatch(lambda: now[0])
    session.run(tf.global_variables_initializer())
    hook.begin(session, 0)
    for number in range(1, 7):
      hook.fetches(number)
      now[0] += 2
      hook.after_step(step(number, 1.5), [])
      if number == 4:
        hook.before_save(session)
        hook.before_validation(number)
        now[0] += 30
        validation = ValidationScores(0.5, 0.75, 0.5, 0.25)
        hook.after_epoch(session, EpochEnd(number, 'x', True, validation))
    hook.close()
  events = [json.loads(line) for line in output.getvalue().splitlines()]
  progressed = [each for each in events if each['event'] == 'progress']
  assert [each['step'] for each in progressed] == [2, 4, 6]
  assert [each['eta_seconds'] for each in progressed] == [6 * 2, 4 * 2, 2 * 2 + 30]
  assert [each['eta_is_lower_bound'] for each in progressed] == [True, True, False]
  assert [each['images_per_second'] for each in progressed] == [2, 2, 2]
  last = progressed[-1]
  assert (last['phase'], last['total'], last['loss'], last['epoch']) == ('training', 8, 1.5, 1.5)
  assert [each['phase'] for each in events if each['event'] == 'phase'] == ['saving', 'validating']
  (epoch,) = (each for each in events if each['event'] == 'epoch')
  assert (epoch['step'], epoch['epoch'], epoch['train_loss']) == (4, 1.0, 1.5)
  assert (epoch['validation_loss'], epoch['validation_accuracy']) == (0.5, 0.75)


def test_a_terminal_shows_what_happens_after_an_epoch_and_when_the_run_ends(tmp_path, monkeypatch):
  monkeypatch.setenv('COLUMNS', '80')
  output = io.StringIO()
  output.isatty = lambda: True
  with graph_session() as session:
    hook = Recorder(
      train_config('data', a_manifest(), epochs=2.0),
      Epochs(num_examples=16, batch_size=4),
      *(str(tmp_path), 8, [], b'', Reporter(output)),
    )
    hook._estimate = lambda step: progress.Estimate(65, True)
    session.run(tf.global_variables_initializer())
    hook.begin(session, 3)
    hook.fetches(4)
    hook.after_step(step(4, 1.0), [])
    hook.before_save(session)
    hook.before_validation(4)
    hook._reporter._is_due = lambda: True
    hook._reporter.part(64, 360)
    hook.close()
  shown = output.getvalue().partition('\n')[2].split('\r')  # the first line is that of the step
  assert [text.strip() for text in shown[:-1]] == [
    'step 4/8  saving ...  ETA 1:05',
    'step 4/8  validating ...  ETA 1:05',
    'step 4/8  validating 64/360 images  ETA 1:05',
  ]
