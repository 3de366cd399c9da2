import csv
import dataclasses
import functools
import glob
import io
import os
import pathlib
import signal

import numpy as np
import pytest

from tests.testing import make_data_set, thin_model, train_config
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.errors import CheckpointError, ConfigError, DataError, TrainingError
from vgg_slim.reporting import Reporter
from vgg_slim.training import loop


@dataclasses.dataclass
class FakeValidation:
  loss: float = 0.5
  top_1_accuracy: float = 0.75
  balanced_accuracy: float = 0.5
  macro_f1: float = 0.25
  only_answer: int | None = None


@pytest.fixture
def data(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  return make_data_set(tmp_path / 'data')  # 18 training images: 4.5 steps per epoch


def train(
  data,
  train_dir,
  evaluate_fn=None,
  optimizer=None,
  num_devices=1,
  runtime=None,
  fc_units=16,
  **run,
):
  train_dir.mkdir(exist_ok=True)
  data_dir, manifest = data
  output = io.StringIO()
  wanted = train_config(data_dir, manifest, **run)
  wanted = dataclasses.replace(
    wanted,
    net=dataclasses.replace(wanted.net, fc_units=fc_units),
    optimizer=optimizer or wanted.optimizer,
    distribution=config.DistributionConfig(num_devices),
    runtime=runtime or wanted.runtime,
  )
  result = loop.run_training(wanted, manifest, str(train_dir), evaluate_fn, Reporter(output))
  return result, output.getvalue()


def variables(checkpoint):
  reader = tf.train.load_checkpoint(checkpoint)
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def scalars(folder, tag):
  events = sorted(glob.glob(str(folder / 'events.out.tfevents.*')))
  return {
    event.step: value.simple_value
    for path in events
    for event in tf.train.summary_iterator(path)
    for value in event.summary.value
    if value.tag == tag
  }


def test_two_epochs_are_trained_validated_and_recorded(data, tmp_path):
  evaluated = []

  def evaluate(checkpoint):
    evaluated.append(checkpoint)
    return FakeValidation()

  result, output = train(data, tmp_path / 'run', evaluate)
  prefix = str(tmp_path / 'run' / 'model.ckpt')
  assert evaluated == [f'{prefix}-5', f'{prefix}-9']
  assert result == loop.TrainResult(9, 9, f'{prefix}-9', None, FakeValidation())
  assert output.count('images/s') == 9
  assert 'validation loss 0.5000 accuracy 75.00%' in output
  with (tmp_path / 'run' / 'metrics.csv').open(newline='') as stream:
    rows = list(csv.DictReader(stream))
  assert [(r['step'], r['validation_accuracy']) for r in rows] == [('5', '0.75'), ('9', '0.75')]
  # 4.5 steps per epoch, rounded to a decay every 4 steps: the rate is 0.01 / 2 at step 5, 0.01 / 4
  # at step 9.
  assert [float(r['learning_rate']) for r in rows] == [0.005, 0.0025]


def test_the_end_of_a_run_says_what_its_last_validation_shows_and_what_it_waits_for(data, tmp_path):
  _, output = train(data, tmp_path / 'run', lambda _: FakeValidation(only_answer=1), epochs=0.5)
  alarm, closing = output.splitlines()[-2:]
  assert alarm.startswith(
    "ALARM: The network predicts 'class_1' for all validation images at step 3,"
  )
  assert closing == 'Stopping the input pipeline and closing the session ...'


def test_event_files_hold_scalars_images_and_the_graph(data, tmp_path):
  train(
    data,
    tmp_path / 'run',
    lambda checkpoint: FakeValidation(),
    histogram_every_steps=4,
    profile_steps=(2, 3),
  )
  run = tmp_path / 'run'
  total, cross_entropy, decay = (
    scalars(run, name) for name in ('total_loss', 'loss', 'weight_decay')
  )
  assert sorted(total) == list(range(1, 10))
  for step, value in total.items():
    assert value == pytest.approx(cross_entropy[step] + decay[step], rel=1e-6)
  assert len(scalars(run, 'learning_rate')) == len(scalars(run, 'images_per_second')) == 9
  assert scalars(run / 'validation', 'accuracy') == {5: 0.75, 9: 0.75}
  events = list(tf.train.summary_iterator(glob.glob(str(run / 'events.*'))[0]))
  assert any(event.graph_def for event in events)
  summaries = [v for e in events for v in e.summary.value]
  assert [v.HasField('image') for v in summaries if v.tag == 'samples'] == [True]
  assert any(v.tag.startswith('filters') for v in summaries)
  steps = {
    e.step for e in events for v in e.summary.value if v.tag == 'gradients/vgg_a/fc8/weights'
  }
  assert steps == {1, 5, 9}
  assert {p.name for p in (run / 'profile').iterdir()} == {'step-2.json', 'step-3.json'}
  assert 'MatMul' in (run / 'profile' / 'step-2.json').read_text()


def test_stopping_and_resuming_equals_an_uninterrupted_run(data, tmp_path):
  """With dropout, augmentation, plateau, averages, best checkpoint and early stopping."""
  optimizer = config.OptimizerConfig(
    0.01, 'plateau', 0.5, plateau_patience=1, moving_average_decay=0.9, weight_decay_on=('biases',)
  )
  run = {'keep_best': True, 'early_stop_patience': 3, 'best_metric': 'loss'}
  # Epochs end at 5, 9, 14 and 18: one improvement, then three decays, then early stopping.
  scores = {5: FakeValidation(0.5), 9: FakeValidation(0.6), 14: FakeValidation(0.5)}

  def evaluate(checkpoint):
    step = int(checkpoint.rpartition('-')[2])
    return scores.get(step, FakeValidation(0.7))

  def until(max_steps, folder):
    return train(data, tmp_path / folder, evaluate, optimizer, max_steps=max_steps, **run)

  whole, output = until(40, 'whole')
  assert whole.step == 18
  assert whole.ended_early.startswith(
    '3 epochs without improvement on loss 0.5000, accuracy 75.00% at step 5'
  )
  assert output.count('the learning rate is decayed') == 3
  for max_steps in (3, 5, 12):  # within an epoch, at the end of an epoch, within one
    until(max_steps, 'parts')
  parts, output = until(40, 'parts')
  assert 'Resuming from' in output
  assert (parts.step, parts.ended_early) == (whole.step, whole.ended_early)
  for folder in ('', 'best'):
    expected, got = (variables(str(tmp_path / name / folder)) for name in ('whole', 'parts'))
    assert set(expected) == set(got)
    for name, value in expected.items():
      np.testing.assert_array_equal(got[name], value, err_msg=name)
  curves = [
    (tmp_path / name / 'metrics.csv').read_text().splitlines() for name in ('whole', 'parts')
  ]
  speed = curves[0][0].split(',').index('images_per_second')
  without_speed = [[line.split(',')[:speed] for line in curve] for curve in curves]
  assert without_speed[0] == without_speed[1]


def test_resuming_with_balanced_batches_equals_an_uninterrupted_run(data, tmp_path):
  optimizer = config.OptimizerConfig(0.01)
  for name in ('whole', 'parts'):
    for max_steps in (12,) if name == 'whole' else (3, 7, 12):
      run = {'max_steps': max_steps, 'balanced_batches': True}
      result, _ = train(data, tmp_path / name, None, optimizer, **run)
  expected, got = (variables(str(tmp_path / name)) for name in ('whole', 'parts'))
  for name, value in expected.items():
    np.testing.assert_array_equal(got[name], value, err_msg=name)
  assert result.step == 12


def test_resuming_on_several_devices_equals_an_uninterrupted_run(data, tmp_path):
  def until(max_steps, folder):
    return train(data, tmp_path / folder, num_devices=2, max_steps=max_steps)[0]

  whole = until(6, 'whole')
  until(3, 'parts')
  expected, got = variables(whole.checkpoint), variables(until(6, 'parts').checkpoint)
  assert set(expected) == set(got)
  for name, value in expected.items():
    np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize('num_devices', [1, 2])
def test_a_run_that_computes_stages_again_equals_one_that_keeps_them(data, tmp_path, num_devices):
  ends = [
    train(
      data,
      tmp_path / recompute,
      num_devices=num_devices,
      runtime=config.RuntimeConfig(recompute=recompute),
      max_steps=3,
    )[0].checkpoint
    for recompute in ('none', 'stages')
  ]
  kept, again = map(variables, ends)
  for name, values in kept.items():
    np.testing.assert_array_equal(again[name], values, name)


def test_a_run_says_how_it_fits_into_its_budget_or_stops_before_anything_is_written(data, tmp_path):
  runtime = config.RuntimeConfig(memory_budget='1.5GB')
  _, output = train(data, tmp_path / 'run', runtime=runtime, max_steps=1)
  assert 'Memory budget 1.5GB: batch 4 without recomputation, predicted peak ' in output
  runtime = config.RuntimeConfig(memory_budget='10MB')
  message = '^--memory_budget=10MB: a step of vgg_a with 4 images at 32 px needs '
  with pytest.raises(ConfigError, match=message):
    train(data, tmp_path / 'small', runtime=runtime)
  assert [path.name for path in (tmp_path / 'small').iterdir()] in ([], ['.lock'])


def test_a_budget_that_releases_the_variables_in_validations_changes_no_step(data, tmp_path):
  # fc7 and its momentum have 1 MiB each. Without recomputation the steps themselves are the same.
  run = functools.partial(train, data, evaluate_fn=lambda checkpoint: FakeValidation())
  ends = [
    run(tmp_path / name, runtime=config.RuntimeConfig(memory_budget=budget), fc_units=512)
    for name, budget in (('plain', None), ('budget', '4GB'))
  ]
  plain, released = (variables(result.checkpoint) for result, _ in ends)
  assert plain['vgg_a/fc7/weights/Momentum'].nbytes == 2**20
  for name, values in plain.items():
    np.testing.assert_array_equal(released[name], values, name)
  rows = [(tmp_path / name / 'metrics.csv').read_text() for name in ('plain', 'budget')]
  assert [len(text.splitlines()) for text in rows] == [3, 3]


def damage_first_shard(data_dir, manifest, split):
  """Flips a bit; returns what the error has to say."""
  path = pathlib.Path(data_dir, manifest.split(split).shards[0].file)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  return f'{path.name}: record [0-9]+ .* is damaged'


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_a_damaged_record_is_found_before_step_0_and_its_file_is_named(data, tmp_path, split):
  message = damage_first_shard(*data, split)
  with pytest.raises(DataError, match=message):
    train(data, tmp_path / 'run')
  assert not list((tmp_path / 'run').iterdir())


def test_a_damaged_record_that_is_met_later_is_named(data, tmp_path, monkeypatch):
  message = damage_first_shard(*data, 'train')
  monkeypatch.setattr(loop, '_RECORDS_CHECKED', 0)
  with pytest.raises(DataError, match=message):
    train(data, tmp_path / 'run', epochs=9.0)


def test_a_finished_run_is_left_alone(data, tmp_path):
  first, _ = train(data, tmp_path / 'run', max_steps=2)
  before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').iterdir()}
  again, output = train(data, tmp_path / 'run', max_steps=2)
  assert again.checkpoint == first.checkpoint
  assert output == ''
  assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').iterdir()} == before


@pytest.mark.parametrize('is_complete', [False, True])
def test_sigterm_saves_and_stops_and_in_the_last_step_the_run_is_complete(
  data, tmp_path, is_complete
):
  class Killer(io.StringIO):
    has_killed = False

    def write(self, text):
      # Once, since the line may be shown again after the run, which then handles no signals.
      if not self.has_killed and ('step  3/' in text or 'step 3/' in text):
        self.has_killed = True
        os.kill(os.getpid(), signal.SIGTERM)
      return super().write(text)

  run, output = tmp_path / 'run', Killer()
  run.mkdir()
  wanted = train_config(*data, epochs=0.5 if is_complete else 2.0)
  validation = FakeValidation(only_answer=1)
  result = loop.run_training(wanted, data[1], str(run), lambda _: validation, Reporter(output))
  assert (result.step, result.stopped_by) == (3, 'SIGTERM')
  assert variables(result.checkpoint)['global_step'] == 3
  assert result.is_complete == (result.validation == validation) == is_complete
  assert ('step 3, the last validation' in output.getvalue()) == is_complete


def test_old_checkpoints_are_removed_after_resuming_too(data, tmp_path):
  run = {'save_every_steps': 1, 'keep_checkpoints': 2}
  train(data, tmp_path / 'run', max_steps=3, **run)
  train(data, tmp_path / 'run', max_steps=5, **run)
  for kind in ('index', 'json'):
    kept = {path.stem for path in (tmp_path / 'run').glob(f'model.*.{kind}')}
    assert kept == {'model.ckpt-4', 'model.ckpt-5'}


def test_the_best_checkpoint_follows_a_data_set_that_was_moved(data, tmp_path):
  def validate(checkpoint):
    return FakeValidation(loss=0.5 if checkpoint.endswith('-5') else 0.6)

  run, moved = tmp_path / 'run', str(tmp_path / 'moved')
  train(data, run, validate, keep_best=True, max_steps=9)
  os.rename(data[0], moved)
  train((moved, data[1]), run, validate, keep_best=True, max_steps=14)
  assert [path.name for path in run.glob('best/*.index')] == ['model.ckpt-5.index']
  assert config.read_train_config(str(run / 'best')).data_dir == moved
  assert (run / 'best/config.json').read_text() == (run / 'config.json').read_text()


def test_a_finished_run_follows_a_data_set_that_was_moved_and_keeps_its_other_settings(
  data, tmp_path
):
  def validate(checkpoint):
    return FakeValidation()

  run, moved = tmp_path / 'run', str(tmp_path / 'moved')
  train(data, run, validate, keep_best=True, max_steps=5)
  before = config.read_train_config(str(run))
  os.rename(data[0], moved)
  train((moved, data[1]), run, validate, keep_best=True, max_steps=4)
  for folder in (run, run / 'best'):
    after = config.read_train_config(str(folder))
    assert after == dataclasses.replace(before, data_dir=moved)


def test_a_loss_that_is_not_finite_stops_without_saving(data, tmp_path, monkeypatch):
  data_dir, manifest = data
  (tmp_path / 'run').mkdir()
  wanted = train_config(data_dir, manifest)
  optimizer = dataclasses.replace(wanted.optimizer, learning_rate=1e30)
  wanted = dataclasses.replace(wanted, optimizer=optimizer)
  with pytest.raises(
    TrainingError, match='loss is not finite at step [23]: .*a lower --learning_rate'
  ):
    loop.run_training(wanted, manifest, str(tmp_path / 'run'), None, Reporter(io.StringIO()))
  assert not list((tmp_path / 'run').glob('*.index'))


def test_moving_averages_start_from_the_checkpoint_of_a_warm_start(data, tmp_path):
  started = variables(train(data, tmp_path / 'first', max_steps=3)[0].checkpoint)
  data_dir, manifest = data
  wanted = dataclasses.replace(
    train_config(data_dir, manifest, max_steps=1),
    # A step that changes no weight, so that the averages hold their initial values.
    optimizer=config.OptimizerConfig(1e-30, moving_average_decay=0.9),
    fine_tune=config.FineTuneConfig(str(tmp_path / 'first' / 'model.ckpt-3')),
  )
  run = tmp_path / 'second'
  run.mkdir()
  result = loop.run_training(wanted, manifest, str(run), None, Reporter(io.StringIO()))
  end = variables(result.checkpoint)
  averages = {name: end[name] for name in end if name.endswith('/ExponentialMovingAverage')}
  assert averages
  for name, value in averages.items():
    # The step of 1e-30 still changes weights that are 0.
    expected = started[name.rpartition('/')[0]]
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-28, err_msg=name)


def test_a_checkpoint_of_another_network_is_refused(data, tmp_path):
  train(data, tmp_path / 'run', max_steps=1)
  data_dir, manifest = data
  wanted = train_config(data_dir, manifest, max_steps=2)
  wanted = dataclasses.replace(wanted, net=dataclasses.replace(wanted.net, fc_units=8))
  config.write_train_config(str(tmp_path / 'run'), wanted)  # as if edited by hand
  with pytest.raises(CheckpointError, match='does not fit the network: .*fc6/.* has shape .*16'):
    loop.run_training(wanted, manifest, str(tmp_path / 'run'), None, Reporter(io.StringIO()))


def test_a_run_that_another_process_began_is_compared_once_the_folder_is_locked(data, tmp_path):
  train(data, tmp_path / 'run', max_steps=1)  # after the caller had looked at the folder
  before = {path.name: path.read_bytes() for path in (tmp_path / 'run').iterdir() if path.is_file()}
  with pytest.raises(CheckpointError, match=r'run holds another run: run.seed was 0, now 3\.'):
    train(data, tmp_path / 'run', max_steps=2, seed=3)
  assert {name: (tmp_path / 'run' / name).read_bytes() for name in before} == before
  _, output = train(data, tmp_path / 'run', max_steps=2)
  assert 'run.max_steps was 1, now 2: the run ends there' in output


def test_settings_that_need_validations_need_a_validation_split(data, tmp_path):
  wanted = train_config(*data, keep_best=True)
  with pytest.raises(ConfigError, match='--keep_best .* has no validation split'):
    loop.run_training(wanted, data[1], str(tmp_path / 'run'), None, Reporter(io.StringIO()))
  assert not (tmp_path / 'run').exists()
