"""A mistake in flags or values is exit code 2 and one line, before TensorFlow loads."""

import json
import os
import pathlib
import subprocess
import sys

import PIL.Image
import pytest

from tests.testing import make_data_set, train_config
from vgg_slim.checkpoints import contract, exported
from vgg_slim.commands import installation
from vgg_slim.configs import config
from vgg_slim.data.conversion import default_data

ROOT = pathlib.Path(__file__).parents[2]

# Runs a command once for each list of arguments; prints codes, messages, and whether each imported
# TensorFlow. Flags are global, hence one process per command.
_PROGRAM = """
import contextlib, importlib, io, json, sys
from absl.testing import flagsaver
command, lines = importlib.import_module(sys.argv[1]), json.loads(sys.argv[2])
ends = []
for arguments in lines:
  sys.argv, errors = [command.__name__, *arguments], io.StringIO()
  with flagsaver.flagsaver(), contextlib.redirect_stderr(errors):
    try:
      command.run()
    except SystemExit as end:
      ends.append([end.code, errors.getvalue(), 'tensorflow' in sys.modules])
print(json.dumps(ends))
"""

_TRAINING = {
  '--model=vgg17': "Unknown model 'vgg17'",
  '--weight_decay=-1': 'weight_decay must be at least 0',
  '--batch_size=0': 'batch_size must be at least 1',
  '--batch_size=x': 'batch_size',
  '--optimizer=best': 'optimizer',
  '--epochs=0': 'epochs',
  '--image_size=8': 'image_size=8 is too small',
  '--train_scale_min=20': 'train_scale_min=20 is smaller than image_size',
  '--train_scale_min=0': 'train_scale_min must be at least 1, got 0',
  '--train_scale_max=0': 'train_scale_max must be in [1, 32768], got 0',
  '--image_size=16385': 'image_size must be in [1, 2**14], got 16385',
  '--num_threads=1025': 'num_threads must be in [0, 1024]',
  '--num_devices=1025': 'num_devices must be in [1, 1024]',
  '--epochs=1e10': 'epochs must be in (0, 10**9]',
  '--learning_rate=1e39': 'learning_rate must be a finite number in the range of float32',
  '--max_steps=2147483648': 'max_steps must be an integer of at most 32 bits',
  '--new_head': 'new_head: no effect without checkpoint_path',
  '--gradient_accumulation_steps=7': 'gradient_accumulation_steps=7',
  '--memory_budget=2': "memory_budget must be a size such as 2GB, 1.5GiB or 800MB, got '2'",
  '--recompute=all': 'recompute',
  '--model=resnet50 --fc_units=64 --batch_size=0': '--fc_units=64: no effect on resnet50',
  '--random_flip no': "unexpected arguments ['no']",
  '--data_dir=data --batch_size=0': 'batch_size must be at least 1',
  '--train_dir=run --batch_size=0': 'batch_size must be at least 1',
  '--checkpoint_path=run --batch_size=0': 'batch_size must be at least 1',
}
MISTAKES = {
  'benchmark': {
    '--model=vgg17': "Unknown model 'vgg17'",
    '--batch_size=0': 'batch_size',
    '--what=sleep': 'what must be one of',
    '--what=train_step --memory_budget=none,3': 'memory_budget must be a size such as 2GB',
    '--what=end_to_end --precision=int4': 'precision must be one of',
    '--model=resnet50 --fc_units=64': '--fc_units=64: no effect on resnet50, whose head is linear',
    '--peers=caffe': '--peers=caffe',
    '--values=1,2': '--growth is required',
    '--growth=batch_size --values=a,b': 'expected comma-separated integers',
    '--growth=batch_size --values=4': 'two or more different values',
    '--output=nowhere/x.json': 'there is no folder nowhere',
  },
  'convert_to_tfrecord': {
    '': '--dataset is required',
    '--dataset=digits --output_dir=x --validation_fraction=2': 'validation_fraction',
    '--dataset=digits --output_dir=x --input_dir=y': 'takes no input_dir',
    '--dataset=digits --output_dir=x --num_workers=0': 'num_workers must be in [1, 1024]',
    '--dataset=digits --output_dir=x --resize_smaller_side=0': 'must be at least 1',
    '--dataset=digits --output_dir=data': 'already exists',
  },
  'describe': {
    '--model=vgg17': "Unknown model 'vgg17'",
    '--image_size=0': 'image_size=0',
    '--image_size=20': 'image_size=20 is too small',
    '--head=none': 'head',
    '--head=fc256 --fc_units=64': '--fc_units=64: no effect on vgg16, whose head is fc256',
    '--num_classes=0 --head=vgg --fc_units=64': '--head, --fc_units: no effect with --num_',
  },
  'doctor': _TRAINING,
  'evaluate': {
    '': 'Give --train_dir or --checkpoint_path',
    '--train_dir=run --batch_size=0': 'batch_size must be at least 1',
    '--train_dir=run --views=crop': "not 'crop'",
    '--train_dir=run --views=ten_crops': "not 'ten_crops' (did you mean ten_crop?)",
    '--train_dir=run --engine=openvino': '--engine is a flag of tools/predict.',
    '--train_dir=run --test_scales=16': 'at least image_size=32',
    '--train_dir=run --test_scales=32769': 'at most 32768 pixels',
    '--train_dir=run --test_scales=x': "--test_scales='x'",
    '--train_dir=run --average=median': 'average',
    '--train_dir=run --precision=int8': 'precision',
    '--train_dir=run --csv=nowhere/x.csv': 'there is no folder nowhere',
    '--watch': 'Give --train_dir',
    '--watch --train_dir=run --views=center,dense': 'takes a single view',
  },
  'export_model': {
    '': 'Give --checkpoint_path and --output',
    '--checkpoint_path=run --output=x --format=caffe': 'format',
    '--checkpoint_path=run --output=x --input_shape=free': 'omit --input_shape',
    '--checkpoint_path=run --output=x --format=tflite_int8': '--representative_dir',
    '--checkpoint_path=run --output=run': 'run exists',
  },
  'export_weights': {
    '': 'Give --checkpoint_path and --output',
    '--checkpoint_path=run --output=x.h5': 'must end in .weights.h5, .keras, .safetensors',
    '--checkpoint_path=run --output=x.npz --model=vgg17': "Unknown model 'vgg17'",
  },
  'extract_features': {
    '': 'Give --data_dir and --output',
    '--data_dir=data --output=x': 'Give exactly one of --train_dir, --checkpoint_path, --weights',
    '--data_dir=data --output=x --train_dir=run --model=vgg_a': '--model=vgg_a: no effect with',
    '--data_dir=data --output=x --train_dir=run --layer=conv9': "no layer 'conv9'",
    '--data_dir=data --output=x --train_dir=run --image_size=20': 'image_size=20 is too small',
    '--data_dir=data --output=x --train_dir=run --test_scale=20': 'test_scale=20 is smaller',
    '--data_dir=data --output=x --train_dir=run --test_scale=32769': 'at most 32768',
    '--data_dir=data --output=x --train_dir=run --passes=0': 'passes',
    '--data_dir=data --output=x --train_dir=run --seed=-1': 'seed',
    '--data_dir=data --output=x --train_dir=run --precision=int8': 'precision',
  },
  'import_weights': {
    '': 'Give --from and --model and --output',
    '--from=f --output=o --model=vgg17': "Unknown model 'vgg17'",
    '--from=f --output=o --model=vgg16 --rgb_mean=1,2': '--rgb_mean must be three',
    '--from=f --output=o --model=vgg16 --rgb_std=0,1,1': 'rgb_std must be three positive numbers',
    '--from=f --output=o --model=vgg16 --fc_units=0': 'fc_units',
    '--from=f --output=o --model=resnet50 --fc_units=64': 'no effect on resnet50, whose head is',
    '--from=f --output=o --model=vgg16 --trunk_only --head=vgg': '--head: no effect with --trunk',
    '--from=f --output=o --model=vgg16 --batch_norm_epsilon=-1': 'batch_norm_epsilon',
  },
  'legacy': {
    '': 'Give a script',
    'nowhere.py --steps=3': 'There is no file nowhere.py',
    '--keep_v2=maybe x.py': 'keep_v2',
    '--steps=3 x.py': '1 unknown flag. --steps: there is no such flag',
  },
  'paper_tables': {
    '--models=vgg16': '--models=vgg16: expected some of vgg_a, vgg_a_lrn',
    '--models=vgg_a,vgg_x': '--models=vgg_x',
    '--steps=0': 'steps',
    '--image_size=16': 'image_size=16 is too small',
  },
  'plot': {
    '': '--what is required',
    '--what=bars': 'what',
    '--what=history': '--train_dir is required',
    '--what=samples': 'Give --train_dir or --data_dir',
    '--what=samples --data_dir=data --count=0': 'count',
    '--what=samples --data_dir=data --model=vgg17': "Unknown model 'vgg17'",
    '--what=samples --data_dir=data --train_scale_min=20': 'train_scale_min=20 is smaller',
    '--what=samples --data_dir=data --adam_beta1=7': '--adam_beta1 is a flag of tools/train',
    '--what=samples --train_dir=run --mixup=1': '--mixup: no effect with --train_dir=run',
    '--what=history --train_dir=run --cutout=1 --count=4': '--count, --cutout: no effect',
    '--what=history --train_dir=run --output=x.txt': 'must end in .png',
  },
  'predict': {
    '': 'No images',
    'a.png': 'Give exactly one of --train_dir',
    'a.png --weights=imagnet': '--weights=imagnet is neither',
    'a.png --train_dir=run --model=vgg_a': '--model=vgg_a: no effect with --train_dir, which knows',
    'a.png --onnx_model=run --model=vgg_a': '--model=vgg_a: no effect with --onnx_model',
    'a.png --train_dir=run --top=0': 'top',
    'a.png --train_dir=run --precision=int8': 'precision',
    'a.png --saved_model=x --precision=float32': '--precision is for checkpoints',
    'a.png --train_dir=run --layer=conv9': "no layer 'conv9'",
    'a.png --train_dir=run --test_scale=20': 'at least image_size=32',
    'a.png --train_dir=run --output=x.txt': 'must end in .csv or .json',
    'a.png --train_dir=run --engine=openvino': (
      'tools/export_model --format=onnx --checkpoint_path=run --output=FOLDER, then --onnx_model=F'
    ),
    'a.png --checkpoint_path=run/model.ckpt-3 --engine=onnxruntime': (
      '--engine=onnxruntime runs an export: tools/export_model --format=onnx '
      '--checkpoint_path=run/model.ckpt-3 --output=FOLDER'
    ),
    'a.png --weights=imagenet --engine=openvino': '--checkpoint_path=CHECKPOINT --output=FOLDER',
    'a.png --onnx_model=run --engine=tensorflow': 'TensorFlow runs no ONNX file',
    'a.png --onnx_model=run': 'run is not a folder that tools/export_model --format=onnx',
    'a.png --saved_model=a.png': 'saved_model wrote: a.png/assets.extra/contract.json does not',
    'a.png --onnx_model=run --heat_maps=maps': '--heat_maps needs the layers of a checkpoint',
    'a.png --train_dir=run --onnx_model=run': 'Give exactly one of --train_dir',
    'a.png --train_dir=run --serve=s': '--serve takes no images; ask for them with --socket=s',
    '--train_dir=run --serve=s --top=2 --grid=g.png': '--serve does not go with --top, --grid',
    '--train_dir=run --serve=': '--serve is empty; give the path of a Unix socket',
    'a.png --socket=': '--socket is empty',
    '--train_dir=run --serve=no/s': 'no/s cannot be created: no: No such file',
    '--train_dir=run --serve=a.png': 'a.png exists, and is not a socket',
    '--train_dir=run --serve=s --test_scale=20': 'at least image_size=32',
    'a.png --socket=s --train_dir=run --flip': '--socket does not go with --train_dir, --flip',
  },
  'supervise': {
    '': 'Give a command after --',
    '-- tools/train --overwrite': '--overwrite would remove the run',
    '--num_workers=0 -- true': '--num_workers must be in [1, 1024]',
  },
  'train': {
    **_TRAINING,
    '--train_dir=a.png/x': 'a.png is not a folder',
    '--validation_batch_size=0': 'validation_batch_size',
    '--phase=../x': '--phase=',
    '--weights=imagenet --checkpoint_path=x': 'Give either --weights or --checkpoint_path',
    '--weights=imagnet': "--weights=imagnet is neither 'imagenet', a file, nor",
    '--weights=imagenet --model=vgg_cifar': 'no weights are published for --model=vgg_cifar',
    '--weights=imagenet --model=vgg16 --batch_size=0': 'batch_size must be at least 1',
  },
  'train_head': {
    '': 'Give --features and --output',
    '--features=f --output=x --epochs=0': 'epochs must be at least 1',
    '--features=f --output=x --head=none': 'head',
  },
  'weights': {
    '--model=vgg_cifar': 'No weights are published for --model=vgg_cifar; there are some for',
  },
}
# What is wrong here is a file, so that the code is 1.
FAILURES = {
  'benchmark': {
    '--what=input --data_dir=nowhere': 'nowhere is no',
    '--compare=nowhere.json': 'nowhere.json',
  },
  'convert_to_tfrecord': {
    '--dataset=folder --input_dir=nowhere --output_dir=x': 'nowhere',
    '--dataset=folder --input_dir=data --labels=nowhere --output_dir=x': 'nowhere',
  },
  'evaluate': {
    '--train_dir=nowhere': '--train_dir=nowhere: there is no such folder.',
    '--train_dir=ru --watch': '--train_dir=ru: there is no such folder. Did you mean run?',
    '--train_dir=run --data_dir=nowhere': 'nowhere is no',
    '--checkpoint_path=nowhere': 'nowhere is neither a checkpoint nor',
    '--checkpoints=run,nowhere': 'nowhere is neither a checkpoint nor',
  },
  'export_model': {
    '--checkpoint_path=nowhere --output=x': 'nowhere is neither a checkpoint nor',
    '--checkpoint_path=data --output=x': 'data holds no checkpoint',
    '--checkpoint_path=run --output=x --verify_dir=nowhere': '--verify_dir=nowhere: there is no ',
    '--checkpoint_path=run --output=x --format=tflite_int8 --representative_dir=nowhere': (
      '--representative_dir=nowhere: there is no such folder'
    ),
  },
  'export_weights': {
    '--checkpoint_path=nowhere --output=x.npz': 'nowhere is neither a checkpoint nor',
    '--checkpoint_path=data --output=x.npz': 'data holds no checkpoint',
  },
  'extract_features': {
    '--data_dir=nowhere --output=x --train_dir=run': 'nowhere is no',
    '--data_dir=data --output=x --checkpoint_path=nowhere': 'nowhere is neither a checkpoint nor',
    '--data_dir=data --output=x --train_dir=data': 'data holds no checkpoint',
  },
  'import_weights': {
    '--from=nowhere.h5 --model=vgg16 --output=o': '--from=nowhere.h5: there is neither such a file',
    '--from=a.png --model=vgg16 --output=o --labels=nowhere': 'nowhere',
  },
  'paper_tables': {'--data_dir=nowhere': 'nowhere is no'},
  'plot': {
    '--what=samples --data_dir=nowhere': 'nowhere is no',
    '--what=history --train_dir=ru': '--train_dir=ru: there is no such folder. Did you mean run?',
    '--what=history --train_dir=data': 'data is not a train_dir: it has no config.json.',
    '--what=history --train_dir=run': 'run/metrics.csv has no rows: no epoch of this run has ended',
  },
  'predict': {
    'a.png --checkpoint_path=nowhere': 'nowhere is neither a checkpoint nor',
    'a.png --train_dir=ru': 'ru is neither a checkpoint nor a folder of one. Did you mean run?',
    'a.png --saved_model=mixed': 'contract.json is not the contract of the model in mixed',
    'b.png c.png --train_dir=run': '2 of 2 files could not be classified: b.png: No such file',
    'b.png --weights=imagenet': '1 of 1 file could not be classified: b.png: No such file',
    'a.png --socket=s': 's: there is no such socket',
    'a.png --socket=a.png': 'a.png: no server listens there',
  },
  'train': {
    '--data_dir=nowhere': 'nowhere',
    '--data_dir=data --checkpoint_path=nowhere': 'nowhere is neither a checkpoint nor',
    '--data_dir=data --checkpoint_path=data': 'data holds no checkpoint',
  },
  'train_head': {'--features=nowhere --output=o --train_dir=run': 'nowhere'},
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with `data`, an image, and `run`, whose checkpoint only TensorFlow finds damaged.

  `mixed` is an export with the contract of another one.
  """
  folder = tmp_path_factory.mktemp('exit_codes')
  data_dir, manifest = make_data_set(folder / 'data')
  trained = train_config(data_dir, manifest)
  run = folder / 'run'
  run.mkdir()
  config.write_train_config(str(run), trained)
  contract.write_contract(run / 'model.ckpt-3.json', contract.from_train_config(trained))
  for suffix in ('index', 'data-00000-of-00001'):
    (run / f'model.ckpt-3.{suffix}').write_bytes(b'')
  (folder / 'mixed').mkdir()
  graph = folder / 'mixed' / 'saved_model.pb'
  graph.write_bytes(b'one network')
  (folder / 'mixed' / 'variables').mkdir()
  (folder / 'mixed' / 'variables' / 'variables.index').touch()
  made = contract.from_train_config(trained)
  exported.write(graph.parent, exported.SAVED_MODEL_FILES, made, contract.SAVED_MODEL_EXTRAS)
  graph.write_bytes(b'another network')
  PIL.Image.new('RGB', (40, 40)).save(folder / 'a.png')
  digits = default_data.digits_path(folder / 'cache' / 'vgg_slim')
  digits.parent.mkdir(parents=True)
  digits.symlink_to(data_dir)
  return folder


def run_lines(folder, command, lines):
  """Returns (exit code, stderr, whether TensorFlow was imported) of each line of arguments."""
  done = subprocess.run(
    [sys.executable, '-c', _PROGRAM, f'vgg_slim.commands.{command}', json.dumps(lines)],
    cwd=folder,
    env={**os.environ, 'PYTHONPATH': str(ROOT), 'XDG_CACHE_HOME': str(folder / 'cache')},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  # In another folder than the checkout, commands are named by their paths.
  return json.loads(done.stdout.splitlines()[-1].replace(f'{ROOT}/tools/', 'tools/'))


def test_every_command_is_tested():
  assert set(MISTAKES) == set(installation.commands())


@pytest.mark.parametrize('command', MISTAKES)
def test_a_mistake_in_flags_is_exit_code_2_before_tensorflow_loads(folder, command):
  expected = {**MISTAKES[command], **FAILURES.get(command, {})}
  failures = FAILURES.get(command, ())
  before = sorted(path.name for path in folder.iterdir())
  ends = run_lines(folder, command, [line.split() for line in expected])
  wrong = {
    line: end
    for (line, message), end in zip(expected.items(), ends, strict=True)
    if end[0] != (1 if line in failures else 2)
    or not end[1].startswith(f'{command}: error: ')
    or message not in end[1]
    or end[1].count('\n') != 1
    or end[2]
  }
  assert not wrong
  assert sorted(path.name for path in folder.iterdir()) == before
