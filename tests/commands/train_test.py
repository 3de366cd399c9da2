"""Training in this process with a thin network.

Importing another tool here would define flags of the same names again.
"""

import csv
import json
import os
import re
import shutil
import signal
import socket

import numpy as np
import pytest

from tests.testing import make_data_set, run_tool, thin_model
from vgg_slim import api, locks
from vgg_slim.commands import installation, train
from vgg_slim.compat import tf
from vgg_slim.configs import config, recommended
from vgg_slim.data.conversion import default_data
from vgg_slim.training import loop

SMALL = ('--model=vgg_a', '--batch_size=6', '--max_steps=6', '--fc_units=32')
LEARNS = ('--learning_rate=0.01', '--initializer=he', '--pixel_scale=0.015625')


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a', channels=8)
  monkeypatch.chdir(tmp_path)
  return make_data_set(tmp_path / 'data', per_class=16)[0]


def test_a_run_learns_and_prints_the_next_commands(data_dir, tmp_path, capsys):
  arguments = ('--data_dir=data', *SMALL, *LEARNS, '--max_steps=60')
  assert run_tool(train, *arguments) == 0
  output = capsys.readouterr().out
  evaluate = installation.call('evaluate')  # in the folder of the test
  assert 'vgg_a at 32 px on 24 images of 2 classes' in output
  assert f'Evaluate:    {evaluate} --train_dir=runs/data_vgg_a' in output
  assert 'scores whole images, also mirrored; the validation above, central crops' in output
  run = tmp_path / 'runs' / 'data_vgg_a'
  assert config.read_train_config(str(run)).run.max_steps == 60
  last = list(csv.DictReader((run / 'metrics.csv').read_text().splitlines()))[-1]
  shown = {
    value.tag
    for path in (run / 'validation').iterdir()
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
  }
  assert {'accuracy', 'confusion'} <= shown
  # The classes are two colors, which any network that learns at all gets right.
  assert (last['step'], last['validation_accuracy']) == ('60', '1')


def test_a_program_can_follow_a_run(data_dir, capsys):
  arguments = ('--data_dir=data', '--train_dir=run', *SMALL, '--log_every_steps=2')
  assert run_tool(train, *arguments, '--progress=json') == 0
  events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
  progressed = [each for each in events if each.get('phase') == 'training']
  assert [(each['step'], each['total']) for each in progressed] == [(2, 6), (4, 6), (6, 6)]
  assert progressed[0]['images_per_second'] > 0
  assert progressed[0]['eta_seconds'] > 0
  assert [each['step'] for each in events if each['event'] == 'saved'] == [4, 6]
  epochs = [each for each in events if each['event'] == 'epoch']
  assert [each['step'] for each in epochs] == [4, 6]
  assert 0 <= epochs[0]['validation_accuracy'] <= 1
  assert [each['phase'] for each in events if each['event'] == 'phase'] == [
    *('building', 'reading', 'building', 'starting', 'first step'),
    *('saving', 'validating', 'saving', 'validating', 'closing'),
  ]
  assert events[-1] == {'event': 'end', 'exit_code': 0}


@pytest.mark.parametrize(
  ('splits', 'option'),
  [
    ({'train', 'validation', 'test'}, ''),
    ({'train', 'test'}, ' --split=test'),
    ({'train'}, ' --split=train'),
  ],
)
def test_the_command_that_evaluates_names_a_split_that_exists(splits, option):
  assert train._evaluation('runs/a b', splits) == f"tools/evaluate --train_dir='runs/a b'{option}"


def test_a_run_that_is_interrupted_before_its_first_checkpoint_says_that_nothing_is_saved(
  data_dir, monkeypatch, capsys, tmp_path
):
  (tmp_path / 'runs').mkdir()
  monkeypatch.setattr(default_data, 'digits_folder', lambda cache: data_dir)

  def interrupt(*arguments, **options):
    raise KeyboardInterrupt

  monkeypatch.setattr(api, 'train', interrupt)
  assert run_tool(train, *SMALL, '--train_dir=run') == 130
  captured = capsys.readouterr()
  # That of a run that is to be resumed is easily mistyped.
  assert (
    'Without --data_dir, this new run trains on the handwritten digits. Did you mean runs?'
    in captured.out
  )
  assert captured.err.startswith(
    'train: error: interrupted before the first checkpoint, so nothing is saved. '
  )
  assert captured.err.count('\n') == 1
  assert 'nothing is saved' not in captured.out


def test_a_run_that_is_interrupted_as_it_ends_says_what_is_saved(data_dir, monkeypatch, capsys):
  train_fn = api.train

  def train_and_interrupt(*arguments, **options):
    train_fn(*arguments, **options)
    raise KeyboardInterrupt(signal.SIGTERM)

  monkeypatch.setattr(api, 'train', train_and_interrupt)
  assert run_tool(train, *SMALL, f'--data_dir={data_dir}', '--train_dir=run', '--overwrite') == 143
  error = capsys.readouterr().err.splitlines()[-1]
  assert error.startswith('train: error: interrupted; saved is run/model.ckpt-')
  assert error.endswith('. Run the same command without --overwrite to resume.')


def test_a_run_that_is_interrupted_before_overwrite_removes_another_says_so(
  data_dir, monkeypatch, capsys
):
  run = (*SMALL, f'--data_dir={data_dir}', '--train_dir=run')
  assert run_tool(train, *run) == 0

  def interrupt(*arguments, **options):
    raise KeyboardInterrupt

  monkeypatch.setattr(api, 'train', interrupt)
  assert run_tool(train, *run, '--overwrite', '--fc_units=16') == 130
  assert capsys.readouterr().err.splitlines()[-1] == (
    'train: error: interrupted; run still holds the run that --overwrite removes. Run the same '
    'command to start again.'
  )
  assert run_tool(train, *run) == 130
  assert 'Run the same command to resume.' in capsys.readouterr().err


def test_the_default_length_is_printed(data_dir, monkeypatch, capsys):
  monkeypatch.setattr(recommended, 'FEWEST_STEPS', 20)
  length_free = ('--model=vgg_a', '--batch_size=24', '--fc_units=8', f'--data_dir={data_dir}')
  assert run_tool(train, *length_free) == 0
  output = capsys.readouterr().out
  assert 'Chosen by default: 20 steps (--epochs=20), --validate_every_epochs=40, ' in output
  assert 'Done: step 20 of 20' in output


def test_repeating_the_command_of_a_finished_run_does_nothing(data_dir, capsys):
  run = (f'--data_dir={data_dir}', *SMALL, '--norandom_flip')
  assert run_tool(train, *run) == 0
  assert 'scores whole images; the validation above, central crops' in capsys.readouterr().out
  assert run_tool(train, *run) == 0
  output = capsys.readouterr().out
  assert 'images/s' not in output
  assert 'Done: step 6 of 6' in output


def test_other_flags_for_the_same_train_dir_are_refused(data_dir, capsys):
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *SMALL) == 0
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *SMALL, '--seed=1') == 1
  assert 'run holds another run: run.seed was 0, now 1.' in capsys.readouterr().err


def test_the_digits_are_the_default_data_set(data_dir, tmp_path, monkeypatch, capsys):
  made = []

  def digits_folder(cache):
    made.append(cache)
    return data_dir

  monkeypatch.setattr(default_data, 'digits_folder', digits_folder)
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  assert run_tool(train, *SMALL, '--train_dir=run') == 0
  assert made == [tmp_path / 'cache' / 'vgg_slim']


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--data_dir=nowhere'], 1, 'nowhere is not a folder'),
    (['--model=vgg17'], 2, "Unknown model 'vgg17'"),
    (['--data_dir=.'], 1, 'has no manifest.json'),
    (['--batch_size=many'], 2, '--batch_size=many'),
  ],
)
def test_user_errors_leave_no_files(data_dir, tmp_path, capsys, arguments, code, message):
  before = sorted(path.name for path in tmp_path.iterdir())
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *arguments) == code
  error = capsys.readouterr().err
  assert error.startswith('train: error: ')
  assert message in error
  assert error.count('\n') == 1
  assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_fine_tuning_restores_the_checkpoint_and_trains_only_the_scopes(data_dir, capsys):
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=first', *SMALL) == 0
  capsys.readouterr()
  code = run_tool(
    train,
    *(f'--data_dir={data_dir}', '--train_dir=second', *SMALL, '--max_steps=1'),
    *('--checkpoint_path=first/model.ckpt-6', '--new_head', '--trainable_scopes=vgg_a/fc8'),
  )
  assert code == 0
  output = capsys.readouterr().out
  assert 'Starting from first/model.ckpt-6.\nrestored: 20 variables\n' in output
  assert 'excluded, left at their initial value: 2 variables: vgg_a/fc8/weights, ' in output
  before = tf.train.load_checkpoint('first/model.ckpt-6')
  after = tf.train.load_checkpoint('second/model.ckpt-1')
  same = {
    name: (before.get_tensor(name) == after.get_tensor(name)).all()
    for name in after.get_variable_to_shape_map()
    if name.startswith('vgg_a/') and not name.endswith('/Momentum')
  }
  assert len(same) == 22
  assert {name for name, is_same in same.items() if not is_same} == {
    'vgg_a/fc8/weights',
    'vgg_a/fc8/biases',
  }


def test_a_length_below_the_step_of_the_run_is_not_called_done(data_dir, capsys):
  run = (f'--data_dir={data_dir}', '--train_dir=first', *SMALL)
  assert run_tool(train, *run, '--max_steps=2') == 0
  capsys.readouterr()
  assert run_tool(train, *run, '--max_steps=1') == 0
  assert 'Nothing was trained: the run is at step 2 already' in capsys.readouterr().out


def test_an_error_in_fine_tuning_flags_leaves_no_train_dir(data_dir, tmp_path, capsys):
  assert (
    run_tool(train, f'--data_dir={data_dir}', '--train_dir=first', *SMALL, '--max_steps=1') == 0
  )
  arguments = ('--train_dir=second', '--checkpoint_path=first/model.ckpt-1')
  wrong = '--checkpoint_exclude_scopes=fc8'
  assert run_tool(train, f'--data_dir={data_dir}', *SMALL, *arguments, wrong) == 2
  assert "no variable is under 'fc8' (did you mean 'vgg_a/fc8'?)" in capsys.readouterr().err
  assert not (tmp_path / 'second').exists()


def test_phases_train_the_same_as_separate_commands(data_dir, capsys):
  run = (f'--data_dir={data_dir}', *SMALL, '--max_steps=2')
  first = ('--initializer=he', '--trainable_scopes=head')
  assert run_tool(train, *run, '--train_dir=one', *first) == 0
  second = ('--checkpoint_path=one/model.ckpt-2', '--learning_rate=1e-3')
  assert run_tool(train, *run, '--train_dir=two', *second) == 0
  capsys.readouterr()
  arguments = (
    *(*run, '--train_dir=both'),
    *('--phase=head initializer=he trainable_scopes=head', '--phase=all learning_rate=1e-3'),
  )
  assert run_tool(train, *arguments) == 0
  output = capsys.readouterr().out
  assert 'Starting from both/1_head/model.ckpt-2.' in output
  for parts, folder in (('1_head', 'one'), ('2_all', 'two')):
    expected, got = (
      tf.train.load_checkpoint(f'{path}/model.ckpt-2') for path in (folder, f'both/{parts}')
    )
    for name in expected.get_variable_to_shape_map():
      assert (expected.get_tensor(name) == got.get_tensor(name)).all(), name
  assert run_tool(train, *arguments) == 0
  assert 'images/s' not in capsys.readouterr().out  # both are complete


def test_a_signal_in_the_last_step_of_a_phase_leaves_only_later_phases(
  data_dir, monkeypatch, capsys
):
  def stop_at_the_end(config, train_dir, **_):
    return loop.TrainResult(2, config.run.max_steps, f'{train_dir}/model.ckpt-2', 'SIGTERM')

  monkeypatch.setattr(api, 'train', stop_at_the_end)
  run = (f'--data_dir={data_dir}', *SMALL, '--train_dir=run')
  for steps, phases, rest in [
    (3, (), 'SIGTERM at step 2 of 3: saved as run/model.ckpt-2. Run the same command to resume.'),
    (2, (), 'SIGTERM came in the last step: training is complete.\nDone: step 2 of 2, '),
    (2, ('--phase=a', '--phase=b'), 'Run the same command for the phases that are left.'),
    (2, ('--phase=a',), 'Done: step 2 of 2, '),
  ]:
    assert run_tool(train, *run, f'--max_steps={steps}', *phases) == 0
    output = capsys.readouterr().out
    assert rest in output
    assert ('Run the same command' in output) == ('Run the same command' in rest)


def test_a_flag_after_a_flag_file_wins_over_its_phases(data_dir, tmp_path, capsys):
  (tmp_path / 'two.flags').write_text('--phase=a max_steps=2\n--phase=b max_steps=2\n')
  run = (f'--data_dir={data_dir}', *SMALL, '--train_dir=run')
  assert run_tool(train, *run, '--flagfile=two.flags', '--max_steps=1') == 0
  assert capsys.readouterr().out.startswith(
    '--max_steps=1 replaces max_steps=2 in phase a of the flag file.\n'
    '--max_steps=1 replaces max_steps=2 in phase b of the flag file.\n'
  )
  assert final_step('run/1_a') == final_step('run/2_b') == 1
  assert run_tool(train, *run) == 1
  assert 'run holds a run with phases: run/1_a, run/2_b. Resume it' in capsys.readouterr().err


def test_an_error_in_the_last_phase_is_reported_before_the_first(data_dir, tmp_path, capsys):
  arguments = (f'--data_dir={data_dir}', *SMALL, '--train_dir=run')
  assert run_tool(train, *arguments, '--phase=a', '--phase=b batch_size=0') == 2
  assert 'batch_size must be at least 1' in capsys.readouterr().err
  assert not (tmp_path / 'run').exists()


def test_phases_do_not_mix_with_a_run_that_is_there(data_dir, tmp_path, capsys):
  run = (f'--data_dir={data_dir}', *SMALL, '--max_steps=2')
  assert run_tool(train, *run, '--train_dir=plain') == 0
  assert run_tool(train, *run, '--train_dir=plain', '--phase=head') == 1
  error = capsys.readouterr().err
  assert '--phase: plain holds a run without phases. Leave --phase out to resume that' in error
  assert not (tmp_path / 'plain' / '1_head').exists()
  start = re.search(r'--checkpoint_path=\S+', error)[0]
  assert run_tool(train, *run, '--train_dir=phases', '--phase=head', start) == 0
  assert 'Starting from plain/model.ckpt-2.' in capsys.readouterr().out


STEPS = (*SMALL, '--save_every_steps=1', '--keep_checkpoints=9')


def final_step(train_dir):
  return tf.train.load_checkpoint(str(train_dir)).get_tensor('global_step')


def test_a_copied_run_resumes_in_its_own_folder(data_dir, tmp_path, capsys):
  run = (f'--data_dir={data_dir}', *STEPS, '--keep_checkpoints=2', '--keep_best')
  assert run_tool(train, *run, '--max_steps=3', '--train_dir=a') == 0
  shutil.copytree('a', 'b')
  before = {path: path.read_bytes() for path in (tmp_path / 'a').rglob('*') if path.is_file()}
  capsys.readouterr()
  assert run_tool(train, *run, '--train_dir=b') == 0
  assert 'Resuming from b/model.ckpt-3.' in capsys.readouterr().out
  after = {path: path.read_bytes() for path in (tmp_path / 'a').rglob('*') if path.is_file()}
  assert after == before
  (tmp_path / 'a').rename(tmp_path / 'moved')
  assert run_tool(train, *run, '--train_dir=moved') == 0
  assert 'Resuming from moved/model.ckpt-3.' in capsys.readouterr().out
  for folder in ('b', 'moved', 'b/best'):
    assert str(tmp_path) not in (tmp_path / folder / 'checkpoint').read_text()
  for name in tf.train.load_checkpoint('b').get_variable_to_shape_map():
    values = [tf.train.load_checkpoint(folder).get_tensor(name) for folder in ('b', 'moved')]
    np.testing.assert_array_equal(*values, err_msg=name)


def test_only_overwrite_removes_a_run(data_dir, tmp_path, capsys):
  run = (f'--data_dir={data_dir}', '--train_dir=run', *SMALL)
  assert run_tool(train, *run, '--max_steps=2') == 0
  (tmp_path / 'run' / 'model.ckpt-2.index').write_text('garbage')
  before = {path.name: path.read_bytes() for path in (tmp_path / 'run').iterdir() if path.is_file()}
  capsys.readouterr()
  assert run_tool(train, *run) == 1
  error = capsys.readouterr().err
  assert 'run holds a run without an intact checkpoint: run/model.ckpt-2 is damaged' in error
  assert error.count('\n') == 1
  after = {path.name: path.read_bytes() for path in (tmp_path / 'run').iterdir() if path.is_file()}
  assert after == before
  # The flags may differ from those of the run that is removed.
  assert run_tool(train, *run, '--overwrite', '--fc_units=16') == 0
  output = capsys.readouterr().out
  assert re.search(r'--overwrite removes from run: .*config.json, .*model.ckpt-2.index', output)
  assert final_step(tmp_path / 'run') == 6
  assert not (tmp_path / 'run' / 'model.ckpt-2.index').exists()


def test_a_run_without_its_config_has_a_way_out(data_dir, tmp_path, capsys):
  data = f'--data_dir={data_dir}'
  assert run_tool(train, data, '--train_dir=run', *SMALL, '--max_steps=4', '--keep_best') == 0
  best = f'Best epoch:  {installation.call("evaluate")} --train_dir=run/best\n'
  assert best in capsys.readouterr().out
  (tmp_path / 'run' / 'config.json').unlink()
  capsys.readouterr()
  assert run_tool(train, '--train_dir=run', '--max_steps=5') == 1
  error = capsys.readouterr().err
  assert 'put the config.json of their run back (best/ may have a copy), or start a new' in error
  start = re.search(r'--checkpoint_path=\S+', error)[0]
  assert run_tool(train, data, start, '--train_dir=other', *SMALL) == 0
  shutil.copy('run/best/config.json', 'run')
  assert run_tool(train, '--train_dir=run', '--max_steps=5') == 0
  assert final_step('run') == 5


def test_a_second_process_is_told_which_one_trains(data_dir, tmp_path, capsys):
  with locks.hold('run'):
    assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *SMALL) == 1
  error = capsys.readouterr().err
  assert (
    f'train: error: run is in use by process {os.getpid()} on {socket.gethostname()} si' in error
  )
  assert error.count('\n') == 1
  assert not (tmp_path / 'run').exists()


def advice(capsys):
  return capsys.readouterr().err


def test_the_advice_after_divergence_in_the_first_steps_works(data_dir, capsys):
  """A checkpoint is saved at every step, so the diverged weights are saved too."""
  run = (f'--data_dir={data_dir}', '--train_dir=run', *STEPS)
  assert run_tool(train, *run, '--learning_rate=1e30') == 1
  error = advice(capsys)
  assert 'The loss is not finite at step 2' in error
  assert 'run/model.ckpt-1 holds the weights that lead to this, and is the only checkpoint' in error
  assert 'start again with --overwrite and a lower --learning_rate' in error
  assert run_tool(train, *run, '--learning_rate=1e-3') == 1  # a lower rate alone cannot fix them
  assert run_tool(train, *run, '--learning_rate=1e-3', '--overwrite') == 0
  assert final_step('run') == 6


def test_the_advice_after_later_divergence_works(data_dir, tmp_path, capsys):
  run = (f'--data_dir={data_dir}', '--train_dir=run', *STEPS)
  assert run_tool(train, *run, '--learning_rate=1e-3', '--max_steps=3') == 0
  assert run_tool(train, *run, '--learning_rate=1e30') == 1
  error = advice(capsys)
  match = re.search(
    r'(\S+)\.\* and give a lower --learning_rate.* then resumes from run/model.ckpt-3', error
  )
  assert match, error
  assert match[1] == 'run/model.ckpt-4'
  for path in tmp_path.glob(f'{match[1]}.*'):
    path.unlink()
  capsys.readouterr()
  assert run_tool(train, *run, '--learning_rate=1e-3') == 0
  assert 'Resuming from run/model.ckpt-3.' in capsys.readouterr().out
  assert final_step('run') == 6


def test_the_advice_after_divergence_between_checkpoints_works(data_dir, capsys):
  run = (f'--data_dir={data_dir}', '--train_dir=run', *SMALL)
  assert run_tool(train, *run, '--learning_rate=1e30') == 1
  assert 'Give a lower --learning_rate, or' in advice(capsys)
  assert run_tool(train, *run, '--learning_rate=1e-3') == 0
  assert final_step('run') == 6
