"""In this process, for a thin network; another tool here would bring flags of the same names."""

import csv

import pytest

from tests.testing import make_data_set, run_tool, thin_model
from tools import train
from vgg_slim import config
from vgg_slim.compat import tf
from vgg_slim.data import default_data

SMALL = ('--model=vgg_a', '--batch_size=6', '--max_steps=6', '--fc_units=32')
LEARNS = ('--learning_rate=0.01', '--initializer=he', '--pixel_scale=0.015625')


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a', channels=8)
  monkeypatch.chdir(tmp_path)
  return make_data_set(tmp_path / 'data', per_class=16)[0]


def test_a_run_learns_and_says_what_to_do_next(data_dir, tmp_path, capsys):
  arguments = ('--data_dir=data', *SMALL, *LEARNS, '--max_steps=60')
  assert run_tool(train, *arguments) == 0
  output = capsys.readouterr().out
  assert 'vgg_a at 32 px on 24 pictures of 2 classes' in output
  assert 'Evaluate:    tools/evaluate --train_dir=runs/folder_vgg_a' in output
  run = tmp_path / 'runs' / 'folder_vgg_a'
  assert config.read_train_config(str(run)).run.max_steps == 60
  last = list(csv.DictReader((run / 'metrics.csv').open()))[-1]
  shown = {
    value.tag
    for path in (run / 'validation').iterdir()
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
  }
  assert {'accuracy', 'confusion'} <= shown
  # Two colours: whatever learns at all gets them right.
  assert (last['step'], last['validation_accuracy']) == ('60', '1')


def test_the_same_command_again_does_nothing(data_dir, capsys):
  assert run_tool(train, f'--data_dir={data_dir}', *SMALL) == 0
  capsys.readouterr()
  assert run_tool(train, f'--data_dir={data_dir}', *SMALL) == 0
  output = capsys.readouterr().out
  assert 'images/s' not in output
  assert 'Done: step 6 of 6' in output


def test_other_flags_in_the_same_folder_are_refused(data_dir, capsys):
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *SMALL) == 0
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *SMALL, '--seed=1') == 1
  assert 'run holds another run: run.seed was 0, now 1.' in capsys.readouterr().err


def test_digits_are_the_default(data_dir, tmp_path, monkeypatch, capsys):
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
    (['--data_dir=nowhere'], 1, 'nowhere is no folder'),
    (['--model=vgg17'], 1, "Unknown model 'vgg17'"),
    (['--data_dir=.'], 1, 'has no manifest.json'),
    (['--batch_size=many'], 2, '--batch_size=many'),
  ],
)
def test_mistakes_of_training_leave_nothing(data_dir, tmp_path, capsys, arguments, code, message):
  before = sorted(path.name for path in tmp_path.iterdir())
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *arguments) == code
  error = capsys.readouterr().err
  assert error.startswith('train: error: ')
  assert message in error
  assert error.count('\n') == 1
  assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_fine_tuning_starts_from_the_checkpoint_and_trains_the_scope_alone(data_dir, capsys):
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=first', *SMALL) == 0
  capsys.readouterr()
  code = run_tool(
    train,
    *(f'--data_dir={data_dir}', '--train_dir=second', *SMALL, '--max_steps=1'),
    *('--checkpoint_path=first/model.ckpt-6', '--new_head', '--trainable_scopes=vgg_a/fc8'),
  )
  assert code == 0
  output = capsys.readouterr().out
  assert 'Starting from first/model.ckpt-6.\nrestored: 20\n' in output
  assert 'excluded, left at their initial value: 2\n  vgg_a/fc8/weights\n' in output
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


def test_a_mistake_in_fine_tuning_leaves_no_train_dir(data_dir, tmp_path, capsys):
  assert (
    run_tool(train, f'--data_dir={data_dir}', '--train_dir=first', *SMALL, '--max_steps=1') == 0
  )
  arguments = ('--train_dir=second', '--checkpoint_path=first/model.ckpt-1')
  wrong = '--checkpoint_exclude_scopes=fc8'
  assert run_tool(train, f'--data_dir={data_dir}', *SMALL, *arguments, wrong) == 1
  assert "no variable is under 'fc8' (did you mean 'vgg_a/fc8'?)" in capsys.readouterr().err
  assert not (tmp_path / 'second').exists()


def test_phases_are_the_commands_one_after_another(data_dir, capsys):
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


def test_a_mistake_in_the_last_phase_shows_before_the_first(data_dir, tmp_path, capsys):
  arguments = (f'--data_dir={data_dir}', *SMALL, '--train_dir=run')
  assert run_tool(train, *arguments, '--phase=a', '--phase=b batch_size=0') == 1
  assert 'batch_size must be at least 1' in capsys.readouterr().err
  assert not (tmp_path / 'run').exists()
