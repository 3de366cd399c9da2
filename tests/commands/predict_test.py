"""Each call runs in its own process because flags are global."""

import contextlib
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.testing import graph_session, make_contract, started
from vgg_slim import sessions, wording
from vgg_slim.checkpoints.contract import contract_path, write_contract
from vgg_slim.compat import tf
from vgg_slim.evaluation import precision_proof
from vgg_slim.export import exporter
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Four images, a broken file, and the checkpoint `net` of a thin network."""
  folder = tmp_path_factory.mktemp('predict')
  (folder / 'photos').mkdir()
  pixels = np.random.default_rng(0).integers(0, 255, [48, 60, 3]).astype(np.uint8)
  image = PIL.Image.fromarray(pixels)
  image.save(folder / 'photos' / 'a.jpg')
  image.save(folder / 'photos' / 'b.png')
  exif = PIL.Image.Exif()
  exif[0x0112] = 6
  image.rotate(90, expand=True).save(folder / 'upright.png', exif=exif)
  image.save(folder / 'same.png')
  (folder / 'photos' / 'broken.jpg').write_bytes(b'x')
  prefix = str(folder / 'net')
  with graph_session() as session:
    registry.build('vgg_a@4', tf.zeros([1, 32, 32, 3]), 3, Inference(), 32, fc_units=8)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  names = ('cat, tabby', 'dog [x]', 'bird')
  write_contract(contract_path(prefix), make_contract('vgg_a@4', 3, 32, 8, class_names=names))
  return folder


def predict(folder, *arguments, stdin='', errors=None, more=None):
  command = [sys.executable, '-m', 'vgg_slim.commands.predict', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  environment |= more or {}
  return subprocess.run(
    command,
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
    errors=errors,
    input=stdin,
    timeout=300,
  )


def test_table_csv_and_a_broken_file(folder):
  run = predict(
    folder, 'photos', '--checkpoint_path=net', '-', '--output=x.csv', '--top=2', stdin='same.png\n'
  )
  assert run.returncode == 1
  *progress, wrote, last = run.stderr.splitlines()
  assert last.startswith(
    'predict: error: 1 of 4 files could not be classified: photos/broken.jpg: not an image '
    'that Pillow can read; '
  )
  assert all(line.startswith('Predicting  ') for line in progress)
  assert wrote == 'Wrote the predictions of 3 images to x.csv.'
  rows = list(csv.reader((folder / 'x.csv').read_text().splitlines()))
  assert [row[0] for row in rows] == ['file', 'photos/a.jpg', 'photos/b.png', 'same.png']
  assert len(rows[0]) == 5
  for file, *classes in rows[1:]:
    line = next(line for line in run.stdout.splitlines() if line.split()[:1] == [file])
    assert classes[0] in line
    assert f'{float(classes[1]):.1%}' in line


def test_a_saved_model_predicts_like_its_checkpoint(folder):
  request = exporter.ExportRequest(str(folder / 'net'), 'saved_model', str(folder / 'exported'))
  exporter.run_export(request, say=lambda line: None)
  runs = [
    predict(folder, 'same.png', '--views=center', '--output=/dev/stderr', flag)
    for flag in ('--checkpoint_path=net', '--saved_model=exported')
  ]
  assert runs[0].stdout == runs[1].stdout
  assert 'bird' in runs[0].stdout
  assert 'file,class_1,' in runs[0].stderr


@pytest.fixture(scope='module')
def onnx_folder(folder):
  for name in ('onnx', 'onnxruntime', 'tf2onnx'):
    pytest.importorskip(name, reason=f'{name}, an extra, is not installed')
  request = exporter.ExportRequest(str(folder / 'net'), 'onnx', str(folder / 'onnx'))
  exporter.run_export(request, say=lambda line: None)
  return folder


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_an_onnx_model_predicts_like_its_checkpoint_without_tensorflow(onnx_folder, engine):
  pytest.importorskip(engine, reason=f'{engine}, an extra, is not installed')
  (onnx_folder / 'without').mkdir(exist_ok=True)
  (onnx_folder / 'without' / 'tensorflow.py').write_text('raise ImportError("not installed")')
  environment = {'PYTHONPATH': f'{onnx_folder / "without"}{os.pathsep}{ROOT}'}
  images = ('photos/a.jpg', 'upright.png', 'same.png')
  expected = predict(onnx_folder, *images, '--checkpoint_path=net', '--output=expected.json')
  model = () if engine == 'onnxruntime' else (f'--engine={engine}',)  # the default
  run = predict(
    onnx_folder, *images, '--onnx_model=onnx', '--output=x.json', *model, more=environment
  )
  assert run.returncode == 0, run.stderr
  assert run.stdout == expected.stdout
  found, wanted = (
    {
      (each['file'], one['class_name']): one['probability']
      for each in json.loads((onnx_folder / name).read_text())['predictions']
      for one in each['classes']
    }
    for name in ('x.json', 'expected.json')
  )
  assert found == pytest.approx(wanted, abs=2e-5)
  assert len(found) == 9


def test_drawings_and_json(folder):
  run = predict(
    folder,
    *('upright.png', 'same.png', '--checkpoint_path=net', '--output=x.json', '--views=center'),
    *('--bar_charts=bars', '--grid=grid.png', '--heat_maps=maps', '--layer=conv4_2'),
    '--progress=json',
  )
  assert run.returncode == 0, run.stderr
  events = [json.loads(line) for line in run.stdout.splitlines()]
  predicted = [each for each in events if each['event'] == 'prediction']
  assert [each['file'] for each in predicted] == ['upright.png', 'same.png']
  assert events[-1] == {'event': 'end', 'exit_code': 0}
  for line in (
    'Wrote the predictions of 2 images to x.json.',
    'Wrote a grid of 2 images to grid.png.',
    'Wrote bar charts of 2 images to bars.',
    'Wrote heat maps of 2 images to maps.',
  ):
    assert {'event': 'message', 'text': line} in events
  values = json.loads((folder / 'x.json').read_text())
  assert values['failed'] == {}
  assert [each['classes'][0]['class_name'] for each in predicted] == [
    each['classes'][0]['class_name'] for each in values['predictions']
  ]
  one, two = ([c['probability'] for c in p['classes']] for p in values['predictions'])
  assert sum(one) == pytest.approx(1, rel=1e-5)
  assert one == pytest.approx(two, rel=1e-5)  # the same image, rotated by EXIF
  drawings = ['bars/upright.png', 'bars/same.png', 'grid.png', 'maps/upright.png', 'maps/same.png']
  for drawing in drawings:
    assert (folder / drawing).read_bytes().startswith(b'\x89PNG')
  (events,) = (folder / 'maps').glob('events.out.tfevents.*')
  tags = [value.tag for e in tf.train.summary_iterator(str(events)) for value in e.summary.value]
  assert tags == ['heat_maps/upright', 'heat_maps/same']


def test_no_name_ends_the_command_or_is_lost(folder):
  names = [b'cat.jpg', b'cat.png', b'cat_2.jpg', b'caf\xe9.png', b'two\nlines.png', b'download']
  odd = folder / 'odd'
  odd.mkdir()
  image = (folder / 'same.png').read_bytes()
  for name in names:
    (odd / os.fsdecode(name)).write_bytes(image)
  (odd / 'notes.txt').touch()
  listed = [os.fsdecode(name) for name in (b'x\xe8.png', b'odd/caf\xe9.png')]
  (folder / listed[0]).write_bytes(b'broken')
  run = predict(
    folder,
    *('-', 'odd', '--checkpoint_path=net', '--views=center', '--top=10', '--output=odd.json'),
    *('--bar_charts=odd_bars', '--heat_maps=odd_maps'),
    stdin='\n'.join(listed),
    errors='surrogateescape',
  )
  assert run.returncode == 1, run.stderr
  assert 'odd: passed over 1 file (1 .txt), not images' in run.stderr
  assert r'1 of 7 files could not be classified: x\udce8.png: ' in run.stderr
  values = json.loads((folder / 'odd.json').read_text(encoding='utf-8'))
  files = [p['file'] for p in values['predictions']]
  assert sorted(files) == sorted(f'odd/{os.fsdecode(name)}' for name in names)
  assert list(values['failed']) == listed[:1]
  # One line per image, which starts with its path, even where ten classes make it long.
  rows = run.stdout.splitlines()[1:]
  assert [row.split('  ')[0] for row in rows] == [wording.printable(file) for file in files]
  for drawings in ('odd_bars', 'odd_maps'):
    assert len(list((folder / drawings).glob('*.png'))) == len(names)
  (events,) = (folder / 'odd_maps').glob('events.out.tfevents.*')
  tags = [value.tag for e in tf.train.summary_iterator(str(events)) for value in e.summary.value]
  assert len(set(tags)) == len(names)


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    (['--checkpoint_path=net'], 2, 'No images: give files, folders, patterns'),
    (['same.png'], 2, 'Give exactly one of --train_dir, --checkpoint_path, --weights, --saved'),
    (
      ['same.png', '--saved_model=nowhere'],
      2,
      f'--saved_model=nowhere is not a folder that {ROOT}/tools/export_model',
    ),
    (['same.png', '--saved_model=x [1]'], 2, '--saved_model=x [1]: TensorFlow takes [1] for a'),
    (['same.png', '--checkpoint_path=nowhere'], 1, 'nowhere is neither a checkpoint nor a folder'),
    (['same.png', '--checkpoint_path=net', '--layer=conv9'], 2, "no layer 'conv9' below its head"),
  ],
)
def test_user_errors_are_one_line(folder, arguments, code, message):
  run = predict(folder, *arguments)
  assert run.returncode == code
  assert message in run.stderr
  assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--output=x.txt'], '--output=x.txt must end in .csv or .json.'),
    (['--grid=x.txt'], '--grid=x.txt must end in .png.'),
    (['--bar_charts=same.png'], '--bar_charts=same.png: same.png is not a folder.'),
    (['--output=nowhere/x.csv'], '--output=nowhere/x.csv: there is no folder nowhere.'),
    (
      ['--bar_charts=maps2', '--heat_maps=maps2'],
      '--bar_charts and --heat_maps name the same path',
    ),
  ],
)
def test_outputs_are_checked_before_the_work(folder, arguments, message):
  run = predict(folder, 'same.png', '--checkpoint_path=net', *arguments)
  assert run.returncode == 2
  assert run.stderr.startswith(f'predict: error: {message}')
  assert (run.stdout, run.stderr.count('\n')) == ('', 1)


def test_outputs_that_would_replace_inputs_are_refused(folder):
  before = {path: path.read_bytes() for path in (folder / 'photos').iterdir()}
  outputs = ('--grid=photos/b.png', '--bar_charts=photos', '--heat_maps=./photos')
  run = predict(folder, 'photos', '--weights=imagenet', *outputs)  # which are not downloaded
  assert run.returncode == 2
  assert run.stderr == (
    'predict: error: --grid=photos/b.png is an input; --bar_charts=photos is the folder of the '
    'input photos/a.jpg; --heat_maps=./photos is the folder of the input photos/a.jpg: '
    'give other paths, so that no input is replaced.\n'
  )
  assert {path: path.read_bytes() for path in (folder / 'photos').iterdir()} == before


def test_older_outputs_stay_if_no_image_can_be_classified(folder):
  names = ('older.csv', 'older.png')
  for name in names:
    (folder / name).write_text('older')
  outputs = ('--output=older.csv', '--grid=older.png', '--bar_charts=no_bars')
  run = predict(folder, 'photos/broken.jpg', '--checkpoint_path=net', *outputs)
  assert run.returncode == 1
  assert '1 of 1 file could not be classified: photos/broken.jpg' in run.stderr.splitlines()[-1]
  assert 'Wrote' not in run.stderr
  assert [(folder / name).read_text() for name in names] == ['older'] * 2
  assert not (folder / 'no_bars').exists()


def test_predictions_are_kept_if_they_cannot_be_drawn(folder):
  (folder / 'blocked' / 'same.png').mkdir(parents=True)
  (folder / 'before.png').write_text('older')
  outputs = ('--output=kept.csv', '--grid=before.png', '--bar_charts=blocked')
  run = predict(folder, 'same.png', '--checkpoint_path=net', *outputs)
  assert run.returncode == 1
  wrote, error = run.stderr.splitlines()[-2:]
  assert wrote == 'Wrote the predictions of 1 image to kept.csv.'
  assert error == 'predict: error: blocked/same.png: Is a directory.'
  assert (folder / 'kept.csv').read_text().splitlines()[1].startswith('same.png,')
  assert (folder / 'before.png').read_text() == 'older'


def test_it_starts_without_tensorflow_and_predicts_without_keras():
  program = 'import sys, vgg_slim.commands.predict; sys.exit("tensorflow" in sys.modules)'
  subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, timeout=300)
  program = (
    'import sys, vgg_slim.evaluation.predictor; '
    'sys.exit(bool({"keras", "matplotlib", "sklearn"} & set(sys.modules)))'
  )
  subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, timeout=300)


@contextlib.contextmanager
def serving(folder, *arguments):
  """Runs a server at `s` in the folder; yields the process once it is ready."""
  command = [sys.executable, '-m', 'vgg_slim.commands.predict', '--serve=s', *arguments]
  environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'HOME': str(folder)}
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT}
  with started(command, cwd=folder, env=environment, **pipes) as process:
    line = process.stdout.readline()
    assert line.startswith('Serving vgg_a@4 of net at s; ask with --socket=s'), line
    yield process


def test_a_served_network_answers_byte_for_byte_like_one_loaded_for_the_images(folder):
  network = ('--checkpoint_path=net', '--batch_size=2', '--flip', '--test_scale=40')
  images = ('photos', 'upright.png', 'same.png', 'none.jpg', '--top=3')
  outputs = ('.csv', '.json')
  here = [predict(folder, *images, f'--output=here{each}', *network) for each in outputs]
  events = predict(folder, 'photos', '--progress=json', *network).stdout
  (folder / 'below').mkdir()
  with serving(folder, *network) as process:
    assert (folder / 's').stat().st_mode & 0o777 == 0o600
    served = [predict(folder, *images, f'--output=served{each}', '--socket=s') for each in outputs]
    others = predict(folder, 'photos', '--progress=json', '--socket=s').stdout
    relative = predict(folder / 'below', '../same.png', '--socket=../s')
    second = predict(folder, '--serve=s', *network)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)  # `timeout` sends two
    assert process.stdout.read() == 'Stopped; s is removed.\n'
    # The second one may come when nothing but the interpreter is left to end.
    assert process.wait(timeout=60) in (0, -signal.SIGTERM)
  assert not (folder / 's').exists()
  for one, other, suffix in zip(here, served, outputs, strict=True):
    assert one.stdout == other.stdout
    assert 'photos/a.jpg' in one.stdout
    last, same = (run.stderr.splitlines()[-1] for run in (one, other))
    assert last == same
    assert 'none.jpg: No such file' in last
    written = [(folder / f'{name}{suffix}').read_bytes() for name in ('here', 'served')]
    assert written[0] == written[1]
  assert _predictions(others) == _predictions(events)
  assert len(_predictions(events)) == 2
  assert relative.returncode == 0, relative.stderr
  assert '../same.png' in relative.stdout
  assert second.returncode == 2
  assert 's is in use by another server' in second.stderr
  assert second.stdout == ''


@pytest.mark.skipif(
  sessions.fast_precision() == 'float32', reason='this processor has no faster precision'
)
def test_no_question_changes_the_precision_of_a_server(folder):
  (folder / 'many').mkdir()
  for i in range(precision_proof.MIN_INPUTS):
    (folder / 'many' / f'{i}.png').symlink_to(folder / 'same.png')
  network = ('--checkpoint_path=net', f'--batch_size={precision_proof.MIN_INPUTS}')
  once = predict(folder, 'many', '--output=many.csv', *network)
  assert 'bfloat16: 0 of 64 top-1 answers change' in once.stderr
  with serving(folder, *network):
    first = predict(folder, 'same.png', '--progress=json', '--socket=s')
    assert predict(folder, 'many', '--socket=s').returncode == 0
    again = predict(folder, 'same.png', '--progress=json', '--socket=s')
  assert len(_predictions(first.stdout)) == 1
  assert _predictions(again.stdout) == _predictions(first.stdout)


def _predictions(stdout):
  events = map(json.loads, stdout.splitlines())
  return [event for event in events if event['event'] == 'prediction']


def test_a_server_that_is_interrupted_removes_its_socket_and_a_client_says_so(folder):
  with serving(folder, '--checkpoint_path=net', '--views=center') as process:
    assert 'bird' in predict(folder, 'same.png', '--socket=s').stdout
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
  run = predict(folder, 'same.png', '--socket=s')
  assert run.returncode == 1
  assert run.stderr.count('\n') == 1
  assert run.stderr.startswith('predict: error: s: there is no such socket; start one with')
