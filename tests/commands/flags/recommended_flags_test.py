import dataclasses

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.training.graph_test import a_manifest
from vgg_slim.commands import train as _  # noqa: F401  (defines every group of flags)
from vgg_slim.commands.flags import config_flags, recommended_flags
from vgg_slim.configs.recommended import Situation
from vgg_slim.data.manifest import Split


def configured(*arguments, num_examples=288, start=None):
  """The config of a new run, and the line about what was chosen for it."""
  splits = {'train': Split(num_examples, (num_examples,), ())}
  manifest = dataclasses.replace(a_manifest(), splits=splits)
  with flagsaver.flagsaver():
    flags.FLAGS(['test', *arguments])
    made = config_flags.train_config_from_flags('data', manifest, start)
    return made, recommended_flags.describe_choice(made, num_examples)


@pytest.mark.parametrize(
  ('num_examples', 'arguments', 'epochs', 'every'),
  [
    (100_000, [], 14, 1),
    (288, [], 67, 4),  # 9 steps per epoch, 603 in total
    (288, ['--batch_size=8'], 17, 1),
    (288, ['--epochs=14'], 14, 1),
    (288, ['--epochs=90'], 90, 1),
    (288, ['--max_steps=50'], 14, 1),
    (288, ['--early_stop_patience=3'], 67, 1),
    (288, ['--learning_rate_decay_type=plateau'], 67, 1),
    (288, ['--validate_every_epochs=2'], 67, 2),
  ],
)
def test_small_data_sets_are_trained_for_more_epochs(num_examples, arguments, epochs, every):
  run = configured(*arguments, num_examples=num_examples)[0].run
  assert (run.epochs, run.validate_every_epochs) == (epochs, every)


@pytest.mark.parametrize(
  ('arguments', 'decay_type', 'epochs_per_decay', 'has_warmup'),
  [
    ([], 'cosine', 10 * 67 / 14, True),
    (['--learning_rate=0.1'], 'cosine', 10 * 67 / 14, True),
    (['--learning_rate=0.1', '--warmup_epochs=0'], 'cosine', 10 * 67 / 14, False),
    (['--learning_rate_decay_type=fixed'], 'fixed', 10 * 67 / 14, False),
    (['--epochs_per_decay=5'], 'exponential', 5, True),
    (['--epochs_per_decay=5', '--learning_rate_decay_type=cosine'], 'cosine', 5, False),
    (['--nostaircase', '--epochs=90'], 'exponential', 10, True),
  ],
)
def test_given_flags_win(arguments, decay_type, epochs_per_decay, has_warmup):
  got = configured(*arguments)[0].optimizer
  assert (got.learning_rate_decay_type, got.epochs_per_decay) == (decay_type, epochs_per_decay)
  assert bool(got.warmup_epochs) == has_warmup
  if '--learning_rate=0.1' in arguments:
    assert got.learning_rate == 0.1


@pytest.mark.parametrize(
  ('arguments', 'situation'),
  [
    (['--model=vgg16'], Situation('momentum')),
    (['--model=vgg16_bn@8'], Situation('momentum', has_batch_norm=True)),
    (['--model=resnet18', '--optimizer=adam'], Situation('adam', has_batch_norm=True)),
  ],
)
def test_the_rate_depends_on_optimizer_and_network(arguments, situation):
  assert configured(*arguments)[0].optimizer.learning_rate == situation.learning_rate()


@pytest.mark.parametrize(
  ('arguments', 'situation'),
  [
    ([], Situation('momentum', is_trained=True)),
    (['--from_net_a'], Situation('momentum')),
    (['--trainable_scopes=head'], Situation('momentum', is_trained=True)),
  ],
)
def test_the_rate_depends_on_the_start(arguments, situation):
  start = config_flags.Start('trained', None)
  got = configured('--model=vgg16', *arguments, start=start)[0]
  assert got.optimizer.learning_rate == situation.learning_rate()


def test_the_choice_is_one_line_about_flags_that_are_not_given():
  rate = Situation('momentum').learning_rate()
  assert configured()[1] == (
    'Chosen by default: 603 steps (--epochs=67), --validate_every_epochs=4, '
    f'--learning_rate={rate:g}, --learning_rate_decay_type=cosine, --warmup_epochs=6.7.'
  )
  given = ('--epochs=3', '--learning_rate=1', '--learning_rate_decay_type=fixed')
  assert configured(*given)[1] is None
