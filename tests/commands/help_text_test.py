import re
import shlex
import sys
import types

import pytest
from absl import flags

from vgg_slim.commands import help_text, train

flags.DEFINE_enum('help_text_test_kind', 'no', ['no', 'yes', 'x' * 30, 'y' * 30], 'A kind.')
flags.DEFINE_bool('help_text_test_dry', True, 'Whether.')
flags.DEFINE_multi_string('help_text_test_several', [], 'Some things; give it again for more.')
flags.DEFINE_string('help_text_test_name', '', 'A name.')
THIS = sys.modules[__name__]


@pytest.fixture(autouse=True)
def no_columns(monkeypatch):
  monkeypatch.delenv('COLUMNS', raising=False)


def test_values_and_defaults_have_lines_of_their_own():
  text = help_text.make(THIS)
  assert (
    '  --help_text_test_kind\n      A kind.\n      One of: no, yes, '
    f'{"x" * 30},\n        {"y" * 30}\n      Default: no\n' in text
  )
  assert '  --[no]help_text_test_dry\n      Whether.\n      Default: on\n' in text
  assert '  --help_text_test_name\n      A name.\n\nEvery command:\n' in text
  assert text.endswith('  --version\n      Prints the version and exits.')


def test_what_absl_adds_to_a_flag_that_may_be_repeated_is_left_out():
  text = help_text.make(THIS)
  assert '--help_text_test_several\n      Some things; give it again for more.\n  --h' in text


def test_flags_are_listed_under_headings():
  text = help_text.make(train)
  groups = dict(re.findall(r'^(\w[\w ]*):\n((?:  .*\n?)+)', text, re.MULTILINE))
  headings = {
    '--data_dir': 'Flags',
    '--weight_decay': 'Optimizer and loss',
    '--learning_rate': 'Learning rate',
    '--cutmix': 'Augmentation',
    '--model': 'Network',
    '--[no]quiet': 'Every command',
  }
  for flag, heading in headings.items():
    assert f'  {flag}\n' in groups[heading]
    assert text.count(f'\n  {flag}\n') == 1


@pytest.mark.parametrize('columns', [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(monkeypatch, columns):
  monkeypatch.setenv('COLUMNS', str(columns))
  widths = [len(line) for line in help_text.make(train).splitlines()]
  assert columns - 15 < max(widths) <= columns


EXAMPLES = """Trains.

  tools/train --model=vgg16
  tools/train --data_dir=data/photos --weights=imagenet --model=vgg16 \\
      --phase='head epochs=5 trainable_scopes=head' --phase='all epochs=10 learning_rate=1e-5'

samples  A grid of images, which are prepared as in the run in the folder --train_dir,
         or else as the flags say.
history  Loss and accuracy.
"""


def test_wrapped_examples_are_the_same_commands():
  lines = help_text.make(types.SimpleNamespace(__doc__=EXAMPLES, __name__='none')).splitlines()
  commands = '\n'.join(lines[2 : lines.index('', 2)])
  assert commands.count('\\\n      --phase=') == 2
  assert list(map(shlex.split, commands.replace('\\\n', '').splitlines())) == [
    ['tools/train', '--model=vgg16'],
    [
      'tools/train',
      '--data_dir=data/photos',
      '--weights=imagenet',
      '--model=vgg16',
      '--phase=head epochs=5 trainable_scopes=head',
      '--phase=all epochs=10 learning_rate=1e-5',
    ],
  ]


def test_the_meanings_of_terms_stay_in_their_column():
  text = help_text.make(types.SimpleNamespace(__doc__=EXAMPLES, __name__='none'))
  assert (
    'samples  A grid of images, which are prepared as in the run in the folder\n'
    '         --train_dir, or else as the flags say.\n'
    'history  Loss and accuracy.\n' in text
  )
