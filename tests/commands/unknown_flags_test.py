import re
import subprocess
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import run_tool
from vgg_slim.commands import train, unknown_flags


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


def test_flags_of_training_are_named_as_such():
  command = [sys.executable, '-m', 'vgg_slim.commands.evaluate']
  command += ['--ignore_missing_vars', '--label_smoothing=0', '--eval_dir=x']
  run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
  assert run.returncode == 2
  error = run.stderr
  assert '--ignore_missing_vars (of tools/train): the same name.' in error
  assert '--label_smoothing (of tools/train): the same name; validation' in error
  assert '--eval_dir: write --output of tools/evaluate.' in error


def test_an_invalid_value_is_reported_first(capsys):
  error = error_of(capsys, '--lr=1', '--batch_size=x')
  assert error.startswith('flag --batch_size=x: ')


@flagsaver.flagsaver
def test_an_invalid_value_leaves_the_first_unknown_flag():
  error = flags.UnrecognizedFlagError('lr')
  got = unknown_flags.explain(['train', '--lr=1', '--batch_size=x', '--wd=3'], error, ['wide'])
  assert got == '1 unknown flag. --lr (of tools/train): write --learning_rate.'
