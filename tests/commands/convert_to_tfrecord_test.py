"""Each case runs in its own process because flags are global; none loads TensorFlow."""

import importlib.util
import json
import pathlib
import shutil
import signal
import subprocess
import sys

import PIL.Image
import pytest

from tests.data import fabricated
from tests.testing import started
from vgg_slim.data import manifest

ROOT = pathlib.Path(__file__).parents[2]


def convert(*arguments, cwd=None):
  command = [sys.executable, '-m', 'vgg_slim.commands.convert_to_tfrecord', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'}
  return subprocess.run(
    command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
  )


def test_a_folder_of_images_end_to_end(tmp_path):
  fabricated.write_image_folder(tmp_path / 'photos', {'cat': 10, 'dog': 15})
  run = convert(
    '--dataset=folder',
    '--input_dir=photos',
    '--output_dir=my data/photos',
    '--validation_fraction=0.2',
    '--seed=3',
    '--num_shards=2',
    cwd=tmp_path,
  )
  assert run.returncode == 0, run.stderr
  m = manifest.read_manifest(tmp_path / 'my data' / 'photos')
  assert m.splits['train'].examples_per_class == (8, 12)
  assert m.splits['validation'].examples_per_class == (2, 3)
  assert (m.seed, m.validation_fraction, len(m.splits['train'].shards)) == (3, 0.2, 2)
  rows = [line.split() for line in run.stdout.splitlines()]
  assert ['train', '20', '8', '-', '12', '2', '0.0'] in rows
  assert ['validation', '5', '2', '-', '3', '1', '0.0'] in rows
  assert '25 images of 2 classes in ' in run.stdout
  assert f"Next: {ROOT}/tools/train --data_dir='my data/photos'" in run.stdout
  assert 'validation has 5 images, each of which is 20.0% of accuracy.' in run.stdout
  assert 'add --model=vgg16 --weights=imagenet --trainable_scopes=head' in run.stdout
  last = run.stderr.splitlines()[-1]  # preceded by one line every five seconds
  assert last.startswith('Converting  100%  25/25 images  ')
  rate = last.split('  ')[3]
  assert rate in run.stdout


def test_an_interrupted_conversion_says_how_to_go_on(tmp_path):
  fabricated.write_image_folder(tmp_path / 'photos', {'cat': 300, 'dog': 300})
  flags = ('--dataset=folder', '--input_dir=photos', '--output_dir=out')
  command = [sys.executable, '-m', 'vgg_slim.commands.convert_to_tfrecord', *flags]
  with started(
    [*command, '--progress=json'],
    cwd=tmp_path,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'},
    stdout=subprocess.PIPE,
  ) as process:
    for line in process.stdout:
      if '"phase": "Converting"' in line:
        process.send_signal(signal.SIGTERM)
        break
    *_, error, end = map(json.loads, process.stdout)
  assert error['text'] == (
    'interrupted. The same command continues with the shards that are not written yet.'
  )
  assert end == {'event': 'end', 'exit_code': 143}
  assert convert(*flags, cwd=tmp_path).returncode == 0


def test_a_class_list_sets_the_order_and_may_name_absent_classes(tmp_path):
  fabricated.write_image_folder(tmp_path / 'photos' / 'train', {'cat': 3, 'dog': 3})
  fabricated.write_image_folder(tmp_path / 'photos' / 'test', {'dog': 1})
  (tmp_path / 'classes.txt').write_text('dog\nowl\ncat\n')
  flags = ('--dataset=folder', '--input_dir=photos', '--output_dir=out')
  run = convert(*flags, '--labels=classes.txt', cwd=tmp_path)
  assert run.returncode == 0, run.stderr
  m = manifest.read_manifest(tmp_path / 'out')
  assert m.class_names == ('dog', 'owl', 'cat')
  assert m.splits['test'].examples_per_class == (1, 0, 0)
  assert run.stdout.startswith('3 classes: dog, owl, cat.\n')
  assert 'Warning: train has no images of 1 of the 3 classes: owl.\n' in run.stdout
  assert 'Warning: test has no images of 2 of the 3 classes: owl, cat.\n' in run.stdout


def test_unusable_images_are_reported_or_an_error_with_strict(tmp_path):
  photos = fabricated.write_image_folder(tmp_path / 'photos', {'cat': 10, 'dog': 15})
  (photos / 'dog' / '003.png').write_bytes(b'')
  flags = ['--dataset=folder', '--input_dir=photos', '--validation_per_class=4', '--num_workers=2']
  run = convert(*flags, '--output_dir=out', '--progress=json', cwd=tmp_path)
  assert run.returncode == 0, run.stderr
  events = [json.loads(line) for line in run.stdout.splitlines()]
  progressed = [each for each in events if each['event'] == 'progress']
  assert [(each['step'], each['total']) for each in progressed][-1] == (25, 25)
  (result,) = (each for each in events if each['event'] == 'result')
  assert sum(result['images'].values()) == 24
  m = manifest.read_manifest(tmp_path / 'out')
  assert m.splits['validation'].num_examples + m.splits['train'].num_examples == 24
  assert m.splits['validation'].examples_per_class[0] == 4
  assert '1 image left out (1 .png): out/quarantine.csv' in run.stdout
  run = convert(*flags, '--output_dir=strict', '--strict', cwd=tmp_path)
  assert run.returncode == 1
  assert 'cannot be used: dog/003.png: the file is empty; ' in run.stderr
  assert not (tmp_path / 'strict').exists()


@pytest.mark.parametrize(
  ('parts', 'flags', 'count'),
  [
    (('',), [], 4),
    (('train',), [], 4),
    (('train', 'test'), [], 4),
    (('train',), ['--validation_fraction=0.2'], None),
    (('train',), ['--validation_per_class=1'], None),
    (('train',), ['--validation_fraction=0'], None),
    (('train', 'validation'), [], None),
  ],
)
def test_a_validation_split_that_nobody_asked_for_is_mentioned(tmp_path, parts, flags, count):
  for part in parts:
    fabricated.write_image_folder(tmp_path / 'photos' / part, {'cat': 10, 'dog': 10})
  run = convert('--dataset=folder', '--input_dir=photos', '--output_dir=made', *flags, cwd=tmp_path)
  assert run.returncode == 0, run.stderr
  said = f'There was no validation split, so {count} images, 20% of those for training, became one'
  assert (said in run.stdout) == (count is not None)
  assert ('There was no validation split' in run.stdout) == (count is not None)


def test_an_image_that_stops_dense_evaluation_is_a_warning(tmp_path):
  folder = fabricated.write_image_folder(tmp_path / 'photos', {'cat': 4, 'dog': 4})
  strips = {'long.png': (1, 500), 'short.png': (5, 40)}
  for name, size in strips.items():
    PIL.Image.new('RGB', size).save(folder / 'dog' / name)
  run = convert('--dataset=folder', '--input_dir=photos', '--output_dir=made', cwd=tmp_path)
  assert run.returncode == 0, run.stderr
  warning = 'Warning: dog/long.png has 1 x 500 pixels, 500 times as high as wide; dense evaluation'
  assert warning in run.stdout
  assert manifest.read_manifest(tmp_path / 'made').most_elongated == ('dog/long.png', 500, 1)
  (folder / 'dog' / 'long.png').unlink()
  run = convert('--dataset=folder', '--input_dir=photos', '--output_dir=others', cwd=tmp_path)
  assert 'dense evaluation' not in run.stdout


def test_equal_images_of_different_classes_are_a_warning_that_says_what_to_do(tmp_path):
  folder = fabricated.write_image_folder(tmp_path / 'photos', {'cat': 10, 'dog': 10})
  shutil.copy(folder / 'cat' / '000.png', folder / 'dog' / 'copy.png')
  run = convert('--dataset=folder', '--input_dir=photos', '--output_dir=made', cwd=tmp_path)
  assert run.returncode == 0, run.stderr
  assert (
    '1 image with a copy in another class, such as cat/000.png (cat) = dog/copy.png (dog)'
    in run.stdout
  )
  said = ' '.join(run.stdout.split())
  assert 'All copies are kept: delete those that are wrong, remove made, and convert again.' in said


def test_help_has_examples_and_flags():
  run = convert('--help')
  assert run.returncode == 0
  assert 'tools/convert_to_tfrecord --dataset=folder --input_dir=' in run.stdout
  flags = ('dataset', 'input_dir', 'output_dir', 'validation_fraction', 'seed', 'num_shards')
  for flag in flags:
    assert f'--{flag}\n' in run.stdout


# Without Beam its flag cannot be used; only Beam knows which runners there are.
NO_RUNNER = 1 if importlib.util.find_spec('apache_beam') else 2


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    ([], 2, '--dataset is required: one of folder, tar, zip, list, '),
    (['--dataset=cifar10', '--output_dir=x'], 2, '--input_dir is required: the folder'),
    (['--dataset=digits', '--output_dir=.'], 2, '--output_dir=. already exists'),
    (['--dataset=digits', '--output_dir=x', '--input_dir=y'], 2, 'takes no input_dir'),
    (['--dataset=folder', '--output_dir=x', '--input_dir=y'], 1, 'input_dir y does not exist'),
    (['--dataset=digits', '--output_dir=x', '--beam_options=--x=1'], 2, 'has no effect without'),
    (['--dataset=digits', '--output_dir=x', '--runner=NoRunner'], NO_RUNNER, 'NoRunner'),
    (['--dataset=digits', '--output_dir=x', '--labels_from=prefix'], 2, 'is for folder, tar, zip,'),
    (
      ['--dataset=digits', '--output_dir=x', '--split_like=keras', '--split_by_hash'],
      2,
      'split_like excludes split_by_hash',
    ),
    (['--dataset=mnist', '--output_dir=x'], 2, 'folder|tar|zip|list|'),
  ],
)
def test_user_errors_are_one_line(tmp_path, arguments, code, message):
  run = convert(*arguments, cwd=tmp_path)
  assert run.returncode == code
  (line,) = run.stderr.splitlines()
  assert line.startswith('convert_to_tfrecord: error: ')
  assert message in line
  assert not run.stdout or 'NoRunner' in message
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('where', 'source', 'output', 'message'),
  [
    ('.', 'photos', 'photos/data', 'is inside --input_dir=photos, where the next conversion'),
    ('.', 'photos', 'photos/a/b', 'give a folder outside, such as data/photos.'),
    ('photos', '.', 'data', 'give a folder outside, such as ../photos_converted.'),
    ('.', 'link', 'photos/data', 'is inside --input_dir=link'),
    ('.', 'photos', 'link/cat/../data', 'is inside --input_dir=photos'),
    ('.', 'photos', 'photos/cat', 'is inside --input_dir=photos'),
    ('.', 'photos', 'link', 'is where the input is; give a folder outside, such as data/photos.'),
    ('.', 'photos', 'photos/', 'is where the input is; give a folder outside'),
    ('.', 'photos', '.', 'is where the input is; give a folder outside'),
  ],
)
def test_an_output_in_the_folder_of_images_is_refused(tmp_path, where, source, output, message):
  fabricated.write_image_folder(tmp_path / 'photos', {'cat': 2, 'dog': 2})
  (tmp_path / 'link').symlink_to('photos')
  run = convert(
    '--dataset=folder', f'--input_dir={source}', f'--output_dir={output}', cwd=tmp_path / where
  )
  assert (run.returncode, run.stdout) == (2, '')
  (line,) = run.stderr.splitlines()
  assert line.startswith(f'convert_to_tfrecord: error: --output_dir={output} is ')
  assert message in line
  assert sorted(path.name for path in (tmp_path / 'photos').iterdir()) == ['cat', 'dog']


def test_an_output_beside_the_folder_of_images_is_not_inside_it(tmp_path):
  fabricated.write_image_folder(tmp_path / 'photos', {'cat': 5, 'dog': 5})
  folders = ('--input_dir=photos', '--output_dir=photos_data')
  run = convert('--dataset=folder', '--num_workers=1', *folders, cwd=tmp_path)
  assert run.returncode == 0, run.stderr


def test_an_archive_is_not_to_be_removed_for_the_output(tmp_path):
  (tmp_path / 'photos.zip').touch()
  run = convert('--dataset=zip', '--input_dir=photos.zip', '--output_dir=photos.zip', cwd=tmp_path)
  assert run.returncode == 2
  assert '--output_dir=photos.zip is where the input is; give a folder' in run.stderr
