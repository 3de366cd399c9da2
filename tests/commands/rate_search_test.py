"""--find_learning_rate of tools/train, with a thin network."""

import csv
import re

import PIL.Image
import pytest

from tests.testing import make_data_set, run_tool, thin_model
from vgg_slim.commands import train
from vgg_slim.data.conversion import default_data
from vgg_slim.training import cluster

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
  assert 'Range test: ' in output
  assert re.search(r'Take --learning_rate=0\.\d+: 0\.\d+ has the lowest loss after 30 st', output)
  assert "The run's --learning_rate=0.01 is in range." in output
  assert max(map(len, output.splitlines()[2:20])) < 80
  folder = tmp_path / 'runs' / 'digits_vgg_a_bn@4_learning_rate'
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


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--find_steps=50'], 2, '--find_steps: no effect without --find_learning_rate.'),
    ([*FIND, '--find_rates=1,1e-3'], 2, 'find_rates must be a positive rate and a higher one'),
    ([*FIND, '--find_rates=1,high'], 2, 'find_rates=1,high: expected comma-separated numbers'),
    ([*FIND, '--find_output=rates.txt'], 2, '--find_output=rates.txt must end in .png or'),
    ([*FIND, '--find_output=no/rates.png'], 2, 'there is no folder no'),
    ([*FIND, '--weight_decay=nan'], 2, 'weight_decay'),
    ([*FIND, '--pixel_scale=1e38'], 1, 'The loss is not finite before the first update'),
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
