"""Each call runs in its own process because flags are global; most end without TensorFlow."""

import csv
import json
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from tests.testing import ignore_signals, make_data_set, run_tool, started
from vgg_slim.commands import train

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with the data set `data` and the train_dir `run`, two steps long."""
  folder = tmp_path_factory.mktemp('evaluate')
  make_data_set(folder / 'data', per_class=8)
  code = run_tool(
    train,
    *('--model=vgg_a@4', f'--data_dir={folder / "data"}', f'--train_dir={folder / "run"}'),
    *('--fc_units=8', '--batch_size=4', '--max_steps=2', '--learning_rate=1e-4'),
  )
  assert code == 0
  # What tools/import_weights writes: a checkpoint with its contract, outside a train_dir.
  (folder / 'imported').mkdir()
  for path in (folder / 'run').glob('model.ckpt-2.*'):
    shutil.copy(path, folder / 'imported')
  return folder


def start(folder, *arguments):
  command = [sys.executable, '-m', 'vgg_slim.commands.evaluate', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'}
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
  return started(command, cwd=folder, env=environment, preexec_fn=ignore_signals, **pipes)


def evaluate(folder, *arguments):
  with start(folder, *arguments) as process:
    output = process.communicate(timeout=300)
  return subprocess.CompletedProcess(process.args, process.returncode, *output)


def test_tables_and_files(folder):
  run = evaluate(
    folder,
    *('--checkpoints=run,imported/model.ckpt-2', '--test_scales=32,36', '--batch_size=64'),
    *('--views=dense,ten_crop,dense+ten_crop', '--output=r.json', '--csv=r.csv'),
    *('--report=r.html', '--tensorboard=board'),
  )
  assert run.returncode == 0, run.stderr
  assert 'vgg_a@4, step 2, validation split, 4 images, float32: run/model.ckpt-2\n' in run.stdout
  assert "Networks fused (the paper's Table 6)" in run.stdout
  result = json.loads((folder / 'r.json').read_text())
  assert result['num_images'] == 4
  assert f'{result["top_1_error"]:.2%}' in run.stdout
  assert (result['view'], result['test_scales']) == ('dense+ten_crop', [32, 36])
  assert result['num_views'] == 2 * 2 * 2 * (1 + 5)
  assert [table['paper'] for table in result['tables']] == [3, 4, 5, 6]
  # The two networks have the same weights, so the test finds no difference between them.
  assert {test['p_value'] for test in result['mcnemar']} >= {1.0}
  with open(folder / 'r.csv') as stream:
    rows = list(csv.DictReader(stream))
  views = ['dense', 'ten_crop', 'dense+ten_crop']
  assert [row['view'] for row in rows] == [view for view in views for _ in range(4)]
  for row in rows[:4]:
    dense, crops, fused = (
      {each[f'class_{i}']: float(each[f'probability_{i}']) for i in (1, 2)}
      for each in rows
      if each['file'] == row['file']
    )
    assert fused['class_0'] == pytest.approx((dense['class_0'] + crops['class_0']) / 2, rel=1e-6)
  rows = rows[:4]
  assert sorted(row['label'] for row in rows) == ['class_0', 'class_0', 'class_1', 'class_1']
  assert 'Most confident errors' in (folder / 'r.html').read_text()
  left = {path.name.partition('.tfevents')[0] for path in (folder / 'board').iterdir()}
  wanted = {'projector_config.pbtxt', 'features.tsv', 'labels.tsv', 'sprite.png', 'events.out'}
  assert left == wanted
  assert sorted((folder / 'board' / 'labels.tsv').read_text().split()) == sorted(
    row['label'] for row in rows
  )
  for line in run.stderr.splitlines():
    assert line.startswith(('Evaluating ', 'evaluate: warning: The network predicts '))


def test_pools_may_round_up_as_in_the_paper(folder):
  arguments = ['--train_dir=run', '--test_scales=39', '--pool_rounding=ceil', '--output=p.json']
  run = evaluate(folder, *arguments)
  assert run.returncode == 0, run.stderr
  assert json.loads((folder / 'p.json').read_text())['pool_rounding'] == 'ceil'


def test_pools_that_round_up_are_refused_for_a_resnet(folder, tmp_path):
  train_dir = shutil.copytree(folder / 'run', tmp_path / 'resnet')
  for path in train_dir.glob('*.json'):
    path.write_text(path.read_text().replace('vgg_a@4', 'resnet50@4'))
  run = evaluate(folder, f'--train_dir={train_dir}', '--pool_rounding=ceil')
  assert run.returncode == 2
  message = 'pool_rounding=ceil is the geometry of the VGG paper, which resnet50@4 does not have'
  assert message in run.stderr
  assert run.stderr.count('\n') == 1


def test_a_train_dir_is_evaluated_on_its_own_data_set(folder):
  arguments = ('--train_dir=run', '--test_scales=multi', '--output=d.json', '--progress=json')
  run = evaluate(folder, *arguments)
  assert run.returncode == 0, run.stderr
  events = [json.loads(line) for line in run.stdout.splitlines()]
  assert {'event': 'phase', 'phase': 'loading'} in events
  assert events[-1] == {'event': 'end', 'exit_code': 0}
  (done,) = (each for each in events if each['event'] == 'progress' and each['step'] == 8)
  assert (done['total'], done['unit'], done['eta_seconds']) == (8, 'crops', 0)
  rows = [each for each in events if each['event'] == 'result']
  assert [each['test_scales'] for each in rows] == [[32], [64], [32, 64]]
  result = json.loads((folder / 'd.json').read_text())
  assert (result['model'], result['step']) == ('vgg_a@4', 2)
  assert (result['test_scales'], result['view'], result['flip']) == ([32, 64], 'dense', True)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_watch_ends_when_interrupted(folder, tmp_path, name):
  train_dir = shutil.copytree(folder / 'run', tmp_path / 'going_on')
  config = train_dir / 'config.json'
  values = json.loads(config.read_text())
  values['run']['max_steps'] = 4
  config.write_text(json.dumps(values))
  with start(folder, f'--train_dir={train_dir}', '--watch') as process:
    assert process.stdout.readline().startswith('step 2  top-1 error ')
    process.send_signal(getattr(signal, name))
    output, errors = process.communicate(timeout=60)
  assert errors == ''
  # The warning of one answer for all images, if it comes before the signal.
  assert all(line.startswith('Warning: The network ') for line in output.splitlines())
  assert process.returncode == 0
  assert len(list((train_dir / 'evaluator').glob('events.out.tfevents.*'))) == 1


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--output=nowhere/e.json'], '--output=nowhere/e.json: there is no folder nowhere.'),
    (['--report=data'], '--report=data: is a folder; expected a file.'),
    (['--tensorboard=run/config.json'], 'run/config.json is not a folder.'),
    (['--csv=x', '--output=./x'], '--output and --csv name the same path'),
    (['--watch', '--tensorboard=run/config.json/x'], 'run/config.json is not a folder.'),
  ],
)
def test_outputs_are_checked_before_the_work(folder, arguments, message):
  run = evaluate(folder, '--train_dir=run', *arguments)
  assert run.returncode == 2
  assert message in run.stderr
  assert (run.stdout, run.stderr.count('\n')) == ('', 1)


def test_a_data_set_converted_differently_from_training_is_warned_of(folder):
  shutil.copytree(folder / 'data', folder / 'reduced')
  manifest = folder / 'reduced' / 'manifest.json'
  values = json.loads(manifest.read_text())
  manifest.write_text(json.dumps({**values, 'stored_side': 16, 'pixel_range': [0, 4095]}))
  run = evaluate(folder, '--train_dir=run', '--data_dir=reduced')
  assert run.returncode == 0, run.stderr
  assert 'evaluate: warning: The converter reduced the images of reduced to 16 px' in run.stderr
  assert 'those of the training data set not at all' in run.stderr
  assert (
    'evaluate: warning: Of images of more than 8 bits, the converter scaled 0..4095 to 0..255 in '
    f'reduced and 0..65535 in the training data set (--pixel_range); {ROOT}/tools/predict does the '
    'latter'
  ) in run.stderr


def test_a_data_set_that_was_converted_again_is_warned_of(folder):
  shutil.copytree(folder / 'run', folder / 'run_before')
  saved = folder / 'run_before' / 'config.json'
  values = json.loads(saved.read_text())
  saved.write_text(json.dumps({**values, 'data_dir': str(folder / 'again')}))
  shutil.copytree(folder / 'data', folder / 'again')
  run = evaluate(folder, '--train_dir=run_before')
  assert run.returncode == 0 and 'converted again' not in run.stderr

  shutil.rmtree(folder / 'again')
  make_data_set(folder / 'again', per_class=8, validation_fraction=0.5)
  for arguments in ([], ['--data_dir=again']):
    run = evaluate(folder, '--train_dir=run_before', *arguments)
    assert run.returncode == 0, run.stderr
    assert (
      'again was converted again after run_before/model.ckpt-2 was trained on it.' in run.stderr
    )
  run = evaluate(folder, '--train_dir=run_before', '--data_dir=data')
  assert run.returncode == 0 and 'converted again' not in run.stderr


def test_classes_in_another_order_are_matched_by_name(folder):
  swapped = folder / 'swapped'
  shutil.copytree(folder / 'imported', swapped)
  contract = swapped / 'model.ckpt-2.json'
  names = ['class_1', 'class_0']
  contract.write_text(json.dumps({**json.loads(contract.read_text()), 'class_names': names}))
  results = {}
  for name in ('imported', 'swapped'):
    run = evaluate(
      folder, f'--checkpoint_path={name}/model.ckpt-2', '--data_dir=data', f'--output={name}.json'
    )
    assert run.returncode == 0, run.stderr
    results[name] = json.loads((folder / f'{name}.json').read_text())['top_1_error']
  assert 'data has 2 of the 2 classes of the network, matched by name: label 0 is 1' in run.stdout
  # Swapping the names of the two scores makes correct answers wrong and wrong ones correct.
  assert results['imported'] + results['swapped'] == 1


@pytest.mark.parametrize(
  'arguments', [[], ['--watch'], ['--checkpoint_path=imported/model.ckpt-2']]
)
def test_a_data_set_that_was_moved_is_asked_for(folder, arguments):
  moved = folder / 'run_moved'
  shutil.copytree(folder / 'run', moved, dirs_exist_ok=True)
  saved = moved / 'config.json'
  saved.write_text(json.dumps({**json.loads(saved.read_text()), 'data_dir': '/old/photos'}))
  run = evaluate(folder, '--train_dir=run_moved', *arguments)
  assert (run.returncode, run.stdout, run.stderr) == (
    1,
    '',
    'evaluate: error: The run in run_moved was trained on /old/photos, which does not exist. Give '
    'the present folder of the data set as --data_dir.\n',
  )


NOT_FLAGS = ('--train_dir=nowhere', 'no split', 'run/x is neither')


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], 'Give --train_dir or --checkpoint_path, or --checkpoints for several.'),
    (['--train_dir=run', '--checkpoints=run,run'], 'Give --train_dir or'),
    (['--train_dir=nowhere'], '--train_dir=nowhere: there is no such folder.'),
    (['--checkpoint_path=imported/model.ckpt-2'], '--data_dir is required: imported/model.ckpt-2'),
    (
      ['--train_dir=run', '--split=dev'],
      "no split 'dev'; this data set has train, validation. Give --split=validation.",
    ),
    (
      ['--train_dir=run', '--test_scales=big'],
      "--test_scales='big': expected comma-separated sides",
    ),
    (['--train_dir=run', '--test_scales=16'], 'at least image_size=32 and at most 32768 pixels'),
    (['--train_dir=run', '--views=dense,crop'], "not 'crop'"),
    (['--train_dir=run', '--checkpoint_path=run/x'], 'run/x is neither a checkpoint nor'),
    (['--watch'], 'Give --train_dir; see --help.'),
    (['--train_dir=run', '--watch', '--csv=x', '--report=y'], 'combined with --csv, --report.'),
    (['--train_dir=run', '--watch', '--views=dense,center'], 'got --views=dense,center.'),
    (['--train_dir=run', '--batch_size=0'], 'batch_size must be at least 1, got 0.'),
  ],
)
def test_user_errors_are_one_line(folder, arguments, message):
  run = evaluate(folder, *arguments)
  assert run.returncode == (1 if message.startswith(NOT_FLAGS) else 2)
  assert run.stderr.startswith('evaluate: error: ')
  assert message in run.stderr
  assert run.stderr.count('\n') == 1
