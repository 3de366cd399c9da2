import importlib
import re

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import own_flags, run_tool
from vgg_slim.commands import foreign_flags, installation, train, unknown_flags
from vgg_slim.commands.flags import common_flags


def error_of(capsys, *arguments):
  assert run_tool(train, *arguments) == 2
  error = capsys.readouterr().err
  assert error.count('\n') == 1
  return error.partition('error: ')[2]


@pytest.mark.parametrize(
  ('argument', 'message'),
  [
    ('--num_clones=2', '--num_clones: write --num_devices.'),
    ('--lr=1', '--lr: write --learning_rate.'),
    ('-b=3', '-b: write --batch_size, for the whole run.'),
    ('--master=x', '--master: the environment variable TF_CONFIG; workers are always'),
    ('--labels_offset=1', '--labels_offset has no equivalent: labels count from 0, and'),
    ('--nodistortions', '--nodistortions: write --train_scale_min, --train_scale_max'),
    ('--no-pretrained', '--no-pretrained: write --weights=imagenet, with --new_head'),
    ('--batch-size=3', '--batch-size: write --batch_size.'),
    ('--no-staircase', '--no-staircase: write --nostaircase.'),
    ('--leraning_rate=3', '--leraning_rate: did you mean --learning_rate?'),
    ('--label=3', '--label: did you mean --label_smoothing?'),
    ('--profil=3', '--profil: did you mean --profile_steps?'),
    ('--learning_rate_decay=3', 'did you mean --learning_rate_decay_factor or --learning_rate_'),
    ('--xyz', '--xyz: there is no such flag.'),
  ],
)
def test_answers(capsys, argument, message):
  error = error_of(capsys, argument)
  assert error.startswith('1 unknown flag. ')
  assert message in error
  assert error.endswith(' See --help.\n')


def test_all_unknown_flags_are_in_one_message(capsys):
  error = error_of(
    capsys, '--lr', '0.1', '--batch_size=3', '--master=x', '--lr=2', '--xyz', '--', '--wd'
  )
  assert error.startswith('3 unknown flags. ')
  assert re.findall(r'(--\w+):', error) == ['--lr', '--master', '--xyz']


@pytest.fixture(scope='module')
def flags_by_command():
  known = {}
  for name in installation.commands():
    with own_flags():
      module = importlib.import_module(f'vgg_slim.commands.{name}')
      known[name] = [flag.name for flag in common_flags.flags_of(module)]
  return known


def explain(flags_by_command, command, name):
  error = flags.UnrecognizedFlagError(name)
  return unknown_flags.explain([command], error, flags_by_command[command], command)


@pytest.mark.parametrize(
  ('command', 'flag', 'answer'),
  [
    ('export_model', 'train_dir', '--train_dir: write --checkpoint_path.'),
    ('export_model', 'image_size', '--image_size: write --input_shape.'),
    ('export_model', 'output_dir', '--output_dir: write --output.'),
    ('describe', 'train_dir', '--train_dir is a flag of tools/train.'),
    ('import_weights', 'train_dir', '--train_dir is a flag of tools/train.'),
    ('import_weights', 'checkpoint_path', '--checkpoint_path: write --from.'),
    ('convert_to_tfrecord', 'image_size', '--image_size: write --resize_smaller_side.'),
    ('convert_to_tfrecord', 'data_name', '--data_name: write --dataset.'),
    ('evaluate', 'ignore_missing_vars', '--ignore_missing_vars is a flag of tools/train.'),
    ('evaluate', 'eval_dir', '--eval_dir: write --output.'),
    ('evaluate', 'lr', '--lr: that is --learning_rate of tools/train.'),
    ('evaluate', 'resume', '--resume: the same command again: a run resumes from the newest '),
    ('predict', 'pretrained', '--pretrained: write --weights=imagenet.'),
    ('train_head', 'max_number_of_steps', '--max_number_of_steps: write --epochs.'),
    ('describe', 'optimizer', '--optimizer is a flag of tools/train.'),
    ('describe', 'train_split', '--train_split: that is --split of tools/evaluate.'),
    ('describe', 'graph_file', 'the graph is in --train_dir of tools/train, for TensorBoard.'),
    ('benchmark', 'forward_only', '--forward_only: write --what=forward.'),
    ('evaluate', 'engine', '--engine is a flag of tools/predict.'),
    ('evaluate', 'onnx-model', '--onnx_model is a flag of tools/predict.'),
    (
      'predict',
      'nobalanced_batches',
      '--nobalanced_batches is a flag of tools/train, tools/doctor, tools',
    ),
    ('predict', 'view', 'unknown flag. --view: did you mean --views?'),
    ('plot', 'splits', '--splits is a flag of tools/extract_features; did you mean --split?'),
    ('evaluate', 'eval', '--eval: training validates, too; write --train_dir=FOLDER.'),
  ],
)
def test_answers_of_other_commands(flags_by_command, command, flag, answer):
  assert answer in explain(flags_by_command, command, flag)


def test_no_command_is_told_to_write_a_flag_that_it_lacks(flags_by_command):
  """Every flag that an answer names is one of the command, or its own command is named as well."""
  for command, known in flags_by_command.items():
    for name in set(foreign_flags.BY_NAME) - set(known):
      said = explain(flags_by_command, command, name)
      said = said.removeprefix('1 unknown flag. ').removeprefix(f'--{name}')
      said = said.replace(' is a flag of', f'--{name} of')
      for flags_said, other in re.findall(r'(--\w+(?:(?:,| and) --\w+)*) of tools/(\w+)', said):
        lacking = set(re.findall(r'--(\w+)', flags_said)) - set(flags_by_command[other])
        assert other != command and not lacking, (command, name, said)
      own = re.sub(r'--\w+(?:(?:,| and) --\w+)* of tools/\w+|tools/\w+(?: --\w+=\w+)+', '', said)
      for flag in re.findall(r'--(\w+)', own):
        assert {flag, flag.removeprefix('no')} & set(known), (command, name, said)


def test_an_invalid_value_is_reported_first(capsys):
  error = error_of(capsys, '--lr=1', '--batch_size=x')
  assert error.startswith('flag --batch_size=x: ')


@flagsaver.flagsaver
def test_an_invalid_value_leaves_the_first_unknown_flag():
  error = flags.UnrecognizedFlagError('lr')
  got = unknown_flags.explain(
    ['plot', '--lr=1', '--batch_size=x', '--wd=3'], error, ['wide'], 'plot'
  )
  assert got == '1 unknown flag. --lr: that is --learning_rate of tools/train.'
