"""--find_learning_rate of tools/train, with a thin network."""

import csv
import errno
import io
import os
import pathlib
import re
import signal

import PIL.Image
import pytest

import vgg_slim.files
from tests.testing import make_data_set, run_tool, thin_model
from vgg_slim.commands import rate_search, train
from vgg_slim.data.conversion import default_data
from vgg_slim.training import cluster, rate_finder, rate_trials
from vgg_slim.training.rate_finder import Found
from vgg_slim.training.rate_search import Baseline

FIND = ('--find_learning_rate', '--find_steps=20', '--quiet')
RUN = ('--model=vgg_a', '--batch_size=6', '--max_steps=4', '--fc_units=16')


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a', channels=8)
  monkeypatch.chdir(tmp_path)
  return make_data_set(tmp_path / 'data', per_class=16)[0]


def files(folder):
  return {path: path.is_file() and path.read_bytes() for path in folder.rglob('*')}


def test_a_search_on_the_digits_writes_only_its_own_folder(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  data = default_data.digits_folder(tmp_path / 'cache')
  before = files(tmp_path)
  learns = ('--model=vgg_a_bn@4', '--fc_units=32', '--learning_rate=0.01', '--dropout_keep_prob=1')
  assert run_tool(train, *FIND, *learns, f'--data_dir={data}', '--find_steps=30') == 0
  output = capsys.readouterr().out
  assert 'At most 40 steps of a range test, ' in output
  assert 'Range test: ' in output
  assert re.search(r'Take --learning_rate=0\.\d+: 0\.\d+ has the lowest loss after 30 st', output)
  assert "The run's --learning_rate=0.01 is in range." in output
  assert max(map(len, output.splitlines()[2:20])) < 80
  folder = tmp_path / 'runs' / f'{pathlib.Path(data).name}_vgg_a_bn@4_learning_rate'
  made = [folder / 'learning_rate.csv', folder / 'learning_rate.png']
  after = files(tmp_path)
  assert sorted(after.keys() - before) == [folder.parent, folder, *made]
  assert {path: after[path] for path in before} == before
  with PIL.Image.open(made[1]) as image:
    assert image.format == 'PNG'
  rows = list(csv.DictReader(made[0].read_text().splitlines()))
  assert list(rows[0]) == ['part', 'step', 'learning_rate', 'loss', 'smoothed_loss']
  assert {row['part'] for row in rows} == {'range test', 'trial'}
  assert float(rows[0]['learning_rate']) == 1e-6


def test_a_search_leaves_a_run_alone_and_finds_the_same_again(data_dir, tmp_path, capsys):
  run = (f'--data_dir={data_dir}', '--train_dir=run', *RUN)
  assert run_tool(train, *run) == 0
  before = files(tmp_path / 'run')
  outputs = []
  for name in ('aaa', 'bbb'):
    capsys.readouterr()
    assert run_tool(train, *FIND, *run, f'--find_output={name}.pdf') == 0
    outputs.append(capsys.readouterr().out.replace(name, ''))
  assert 'Resuming from run/model.ckpt-4.' in outputs[0]
  assert outputs[0] == outputs[1]
  assert (tmp_path / 'aaa.csv').read_text() == (tmp_path / 'bbb.csv').read_text()
  assert (tmp_path / 'aaa.pdf').read_bytes().startswith(b'%PDF')
  assert files(tmp_path / 'run') == before


def test_the_first_phase_is_searched(data_dir, tmp_path, capsys):
  arguments = ('--data_dir=data', '--train_dir=run', *RUN)
  phases = ('--phase=a learning_rate=1e30 optimizer=sgd', '--phase=b')
  assert run_tool(train, *FIND, *arguments, *phases, '--find_rates=0.01,0.1') == 0
  output = capsys.readouterr().out
  assert 'vgg_a with sgd on 24 images; nothing is trained in run/1_a.' in output
  assert "The run's --learning_rate=1e+30 diverges within 2 steps." in output
  assert sorted(path.name for path in (tmp_path / 'run').iterdir()) == ['1_a_learning_rate']


@pytest.mark.parametrize(('at', 'trials'), [(5, 0), (35, 0), (55, 1)])
def test_a_search_that_is_interrupted_shows_what_is_finished(
  data_dir, tmp_path, monkeypatch, capsys, at, trials
):
  step, count = rate_trials.Trials._step, 0

  def interrupt(*arguments):
    nonlocal count
    count += 1
    if count == at:
      os.kill(os.getpid(), signal.SIGINT)
    return step(*arguments)

  monkeypatch.setattr(rate_trials.Trials, '_step', interrupt)
  arguments = (f'--data_dir={data_dir}', '--train_dir=run', *RUN, '--find_output=a.png')
  # Up to a rate at which the range test does not diverge, which would shorten it.
  assert run_tool(train, *FIND, *arguments, '--find_rates=1e-6,1e-5', '--learning_rate=1e-5') == 130
  captured = capsys.readouterr()
  assert count == at
  assert captured.err.endswith('train: error: interrupted.\n')
  finished = 'Interrupted before the search was complete: this is what was finished.'
  assert (finished in captured.out) == (at > 10)
  assert ('Range test: one step at each rate' in captured.out) == (at > 10)
  assert ('Trials: up to 20 steps at a constant rate' in captured.out) == (trials > 0)
  if at < 10:
    assert not (tmp_path / 'a.csv').exists()
    return
  rows = list(csv.DictReader((tmp_path / 'a.csv').read_text().splitlines()))
  assert [row['part'] for row in rows] == ['range test'] * 20 + ['trial'] * 20 * trials


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--find_steps=50'], 2, '--find_steps: no effect without --find_learning_rate.'),
    ([*FIND, '--find_rates=1,1e-3'], 2, 'find_rates must be a positive rate and a higher one'),
    ([*FIND, '--find_rates=1,high'], 2, 'find_rates=1,high: expected comma-separated numbers'),
    ([*FIND, '--find_output=rates.txt'], 2, '--find_output=rates.txt must end in .png or'),
    ([*FIND, '--find_output=no/rates.png'], 2, 'there is no folder no'),
    ([*FIND, '--weight_decay=nan'], 2, 'weight_decay'),
    ([*FIND, '--weight_decay=1e38'], 1, 'The loss is not finite before the first update'),
    ([*FIND, '--find_minutes=1e-9'], 1, 'The time was over before the range test began: give more'),
  ],
)
def test_user_errors_leave_no_files(data_dir, tmp_path, capsys, arguments, code, message):
  before = sorted(tmp_path.iterdir())
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *RUN, *arguments) == code
  error = capsys.readouterr().err
  assert message in error
  assert error.count('\n') == 1
  assert sorted(tmp_path.iterdir()) == before


def test_several_machines_are_refused(data_dir, monkeypatch, capsys):
  monkeypatch.setenv('TF_CONFIG', cluster.Cluster(('localhost:1', 'localhost:2'), 0).to_json())
  assert run_tool(train, f'--data_dir={data_dir}', *RUN, *FIND) == 2
  assert '--find_learning_rate cannot be used with TF_CONFIG' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['learning_rate.png', 'learning_rate.csv'])
def test_the_default_files_are_checked_before_the_search(data_dir, tmp_path, capsys, name):
  folder = tmp_path / 'run_learning_rate'
  (folder / name).mkdir(parents=True)
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *RUN, *FIND) == 2
  captured = capsys.readouterr()
  assert f'--find_output=run_learning_rate/{name}: is a folder; expected a file' in captured.err
  assert 'Range test' not in captured.out
  assert [path.name for path in folder.iterdir()] == [name]


def test_a_disk_that_is_full_for_the_table_keeps_both_older_files(
  data_dir, tmp_path, monkeypatch, capsys
):
  folder = tmp_path / 'run_learning_rate'
  folder.mkdir()
  for name in ('learning_rate.png', 'learning_rate.csv'):
    (folder / name).write_text('older')
  found = Found((1e-3, 1e-2), (1.0, 0.9), Baseline(1.0, 1.0, 0.1, 1.0), None, (), False)
  monkeypatch.setattr(rate_finder, 'run_search', lambda *_: found)
  written = io.FileIO.write

  def write(self, data):
    if '.csv' in str(self.name):
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return written(self, data)

  monkeypatch.setattr(vgg_slim.files._Writer, 'write', write)
  assert run_tool(train, f'--data_dir={data_dir}', '--train_dir=run', *RUN, *FIND) == 1
  assert os.strerror(errno.ENOSPC) in capsys.readouterr().err
  assert [path.read_text() for path in folder.iterdir()] == ['older'] * 2


@pytest.mark.parametrize(
  ('train_dir', 'expected'),
  [
    ('run/', 'run_learning_rate'),
    ('.', '{}/run_learning_rate'),
    ('sub/..', '{}/run_learning_rate'),
    ('..', '{}_learning_rate'),
    ('../other', '../other_learning_rate'),
  ],
)
def test_the_default_folder_is_beside_the_run(tmp_path, monkeypatch, train_dir, expected):
  (tmp_path / 'run').mkdir()
  monkeypatch.chdir(tmp_path / 'run')
  figure = rate_search._default_figure(train_dir)
  assert figure == f'{expected.format(tmp_path)}/learning_rate.png'
