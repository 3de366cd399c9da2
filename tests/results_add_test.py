import dataclasses
import json
import os
import pathlib
import sys

import pytest

from tests import docs_test, results, results_add, results_test, testing
from vgg_slim.commands import phases
from vgg_slim.training.history import EpochMetrics, MetricsFile

COMMANDS = """# seed 3
cd /mnt/x && CUDA_VISIBLE_DEVICES= timeout 9 ROOT/main/tools/train --recipe=digits_vgg16 \\
    --seed=3 --epochs=2 --train_dir=ROOT/runs/digits >log.txt 2>&1 &
.venv/bin/python -m vgg_slim.commands.evaluate --train_dir=ROOT/runs/digits | tee log.txt
"""
AS_READ = """tools/train --recipe=digits_vgg16 --seed=3 --epochs=2 --train_dir=runs/digits
tools/evaluate --train_dir=runs/digits"""
EARLIER = results.Run('digits', 'VGG16 on digits', 'earlier', recipe='digits_vgg16')
PUBLISHED = results.Run(
  'x', 'theirs', 'published', published=(results.Other(0.9, 'of it'),), recipe='digits_vgg16'
)
OTHER = results.Run('y', 'theirs', 'published', published=(results.Other(0.8, 'of y'),))


@pytest.fixture
def root(tmp_path):
  """A folder with runs/digits, whose validation accuracies are 6, 8 and 7 of 8 images."""
  data_dir, manifest = testing.make_data_set(tmp_path / 'data', per_class=16)
  assert manifest.split('validation').num_examples == 8
  folder = tmp_path / 'runs/digits'
  folder.mkdir(parents=True)
  trained = testing.train_config(data_dir, manifest, seed=3)
  trained = dataclasses.replace(trained, net=dataclasses.replace(trained.net, model='vgg16'))
  write_phase(folder, trained, [0.75, 1.0, 0.875])
  folder.joinpath('command.txt').write_text(COMMANDS.replace('ROOT', str(tmp_path)))
  evaluation = {'top_1_error': 0.25, 'num_images': 8, 'split': 'test', 'view': 'dense'}
  evaluation |= {'test_scales': [32], 'checkpoint': f'{folder}/model.ckpt-9', 'tables': []}
  evaluation |= {'model': 'vgg16', 'step': 9}
  folder.joinpath('test.json').write_text(json.dumps(evaluation))
  tmp_path.joinpath('results').mkdir()
  table = tmp_path / 'results/results.json'
  results.write_runs([EARLIER, PUBLISHED, OTHER], table)
  assert results.read_runs(table) == [EARLIER, PUBLISHED, OTHER]
  return tmp_path


def write_phase(folder, config, accuracies):
  folder.mkdir(exist_ok=True)
  folder.joinpath('config.json').write_text(config.to_json())
  metrics = MetricsFile(str(folder), 0)
  for epoch, accuracy in enumerate(accuracies, start=1):
    metrics.add(EpochMetrics(3 * epoch, epoch, 1.0, 0.5, 0.7, accuracy, 0.01, 100.0 + epoch))
  os.utime(folder / 'config.json', (1000, 1000))
  os.utime(folder / 'metrics.csv', (1300, 1300))


def add(root, *flags):
  given = results_add.parser().parse_args([str(root / 'runs/digits'), *flags])
  return results_add.add(given, root / 'results')


def test_a_run_is_read_and_replaces_what_the_table_had(root):
  run = add(root, '--processor=a processor')
  validation, test = run.scores
  assert (validation.accuracy, validation.images, validation.source) == (0.875, 8, 'last')
  assert (test.accuracy, test.split, test.how) == (0.75, 'test', 'dense, Q = 32')
  assert test.source == 'digits.test.json'
  assert run == results.Run(
    'digits',
    'VGG16 on digits',
    'measured',
    run.scores,
    published=PUBLISHED.published,
    recipe='digits_vgg16',
    seeds=(3,),
    seconds=300.0,
    images_per_second=(101.0, 103.0),
    processor='a processor',
    date='1970-01-01',
    command=AS_READ,
    curve='digits.csv',
    differs='--epochs=2',
  )
  assert results.read_runs(root / 'results/results.json') == [run, OTHER]
  written = root / 'results/digits.csv'
  assert written.read_bytes() == (root / 'runs/digits/metrics.csv').read_bytes()
  kept = json.loads((root / 'results/digits.test.json').read_text())
  assert (kept['checkpoint'], 'tables' in kept) == ('model.ckpt-9', False)


def test_what_is_added_passes_the_tests_of_the_table(root, monkeypatch):
  run = add(root, '--take=best')
  evaluation = root / 'results/digits.test.json'
  values = json.loads(evaluation.read_text())
  high, low = (1 - end for end in results.interval_of(0.75, 8))
  evaluation.write_text(json.dumps({**values, 'top_1_interval': [low, high]}))
  monkeypatch.setattr(results, 'FOLDER', root / 'results')
  results_test.test_the_numbers_of_a_run_are_those_in_its_files(run)
  assert run.scores[0].accuracy == 1.0
  assert not results.is_drawn(run, root / 'results')
  results.draw(run, root / 'results')
  assert results.is_drawn(run, root / 'results')
  with (root / 'results/digits.csv').open('a') as stream:
    stream.write('12,4,1,0.5,0.7,0.9,0.01,100,,\n')
  assert not results.is_drawn(run, root / 'results')
  assert len(docs_test.commands(AS_READ)) == 2
  made = results.page(f'a\n{results.BEGIN}\nold\n{results.END}\nb\n', [run, OTHER])
  assert made.startswith('a\n') and made.endswith('\nb\n') and 'old' not in made
  assert '| [digits](#digits) | 8 test images, dense, Q = 32 | 75 % |' in made
  assert f'```sh\n{AS_READ}\n```' in made


def test_phases_are_one_curve_and_their_durations_are_added(root):
  folder = root / 'runs/digits'
  trained = phases.read_train_config(str(folder))
  folder.joinpath('metrics.csv').unlink()
  folder.joinpath('config.json').unlink()
  folder.joinpath('test.json').unlink()
  write_phase(folder / '1_head', trained, [0.5])
  write_phase(folder / '2_all', trained, [0.75])
  run = add(root)
  assert (run.scores[0].accuracy, run.seconds) == (0.75, 600.0)
  assert [row.epoch for row in results.read_curve(run, root / 'results')] == [1, 2]


@pytest.mark.parametrize(
  ('lost', 'message', 'flags'),
  [
    ('command.txt', 'give --command', ['--command=tools/train']),
    ('config.json', 'give --images', ['--images=8', '--minutes=5']),
  ],
)
def test_what_a_folder_does_not_say_has_a_flag(root, lost, message, flags):
  (root / 'runs/digits' / lost).unlink()
  with pytest.raises(results_add.RunError, match=message):
    add(root)
  assert add(root, *flags).seconds == 300.0


def test_a_copied_folder_has_no_duration(root):
  os.utime(root / 'runs/digits/config.json', (1300, 1300))
  with pytest.raises(results_add.RunError, match='give --minutes'):
    add(root)


def test_a_resumed_run_lasts_from_its_first_event_file(root):
  for stamp in (900, 1100):
    root.joinpath('runs/digits', f'events.out.tfevents.{stamp}.host').touch()
  assert add(root).seconds == 400.0


@pytest.mark.parametrize('other', [{'model': 'vgg16@8'}, {'step': 10}])
def test_an_evaluation_of_another_run_is_refused(root, other):
  evaluation = root / 'runs/digits/test.json'
  evaluation.write_text(json.dumps(json.loads(evaluation.read_text()) | other))
  with pytest.raises(results_add.RunError, match=r'test\.json is of vgg16.* another run'):
    add(root)


def test_commands_of_another_run_are_refused(root):
  commands = root / 'runs/digits/command.txt'
  commands.write_text('tools/train --model=vgg_d --data_dir=elsewhere/digits')
  told = 'model is vgg_d in the commands, vgg16 in config.json; data_dir is digits in the'
  with pytest.raises(results_add.RunError, match=told):
    add(root)
  commands.write_text('tools/train --recipe=digits_vgg16 --data_dir=elsewhere/data')
  run = add(root)
  assert (run.what, run.differs) == ('vgg16 on data', '--data_dir=elsewhere/data')


@pytest.mark.parametrize(
  'flag',
  [
    *('--name=../evil', '--tutorial=none.md', '--published=90:test:of it', '--published=0.9'),
    *('--published=0.9:of it', '--published=0.9:train:of it', '--published=0.9:test:'),
    *('--minutes=-1', '--images=0', '--images=0.5', '--date=yesterday'),
  ],
)
def test_values_that_no_run_has_are_refused(root, flag, capsys):
  with pytest.raises(SystemExit):
    add(root, flag)
  assert flag.partition('=')[0] in capsys.readouterr().err


def test_an_unknown_recipe_is_refused(root):
  with pytest.raises(results_add.RunError, match='there is no recipe digits, only birds_'):
    add(root, '--recipe=digits')


def test_an_error_is_one_line(monkeypatch, tmp_path):
  monkeypatch.setattr(sys, 'argv', ['results_add', str(tmp_path / 'none')])
  with pytest.raises(SystemExit, match='^results_add: error: --train_dir=.*no such folder'):
    results_add.main()


def test_flags_that_change_a_recipe_are_named():
  command = 'tools/train --recipe=x --seed=1 --train_dir=y\ntools/evaluate --train_dir=y --flip'
  assert results_add.changed_flags(command) is None
  assert results_add.changed_flags(f'{command}\ntools/train --recipe=x --epochs=2') == '--epochs=2'
  own, other = 'tools/train --recipe=cifar10_vgg16_bn --data_dir=', 'cifar10_49k'
  assert results_add.changed_flags(f'{own}/mnt/{other}') is None
  assert results_add.changed_flags(f'{own}data/cifar10') == '--data_dir=data/cifar10'
  assert results_add.commands_of('tools/weights\n\n', pathlib.Path('/w')) == 'tools/weights'
