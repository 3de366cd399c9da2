import pathlib

import pytest

from vgg_slim.configs import recommended
from vgg_slim.configs.optimizer import OPTIMIZERS
from vgg_slim.configs.recommended import Situation

PAGE = pathlib.Path(__file__).parents[2] / 'docs/how-to/defaults.md'


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_every_optimizer_has_rates_and_trained_networks_get_lower_ones(optimizer):
  normalized = Situation(optimizer, has_batch_norm=True).learning_rate()
  plain = Situation(optimizer).learning_rate()
  tuned = Situation(optimizer, has_batch_norm=True, is_trained=True).learning_rate()
  assert min(normalized, plain) > tuned > 0


@pytest.mark.parametrize(
  ('num_examples', 'epochs', 'every', 'warmup'),
  [
    (None, 14, 1, 0),
    (100_000, 14, 1, 0.032),  # 100 steps of 32 images
    (1_000, 20, 1, 2.0),  # 62.5 of 625 steps
    (60, 320, 21, 32.0),  # 60 of 600 steps
  ],
)
def test_lengths_are_counted_in_steps(num_examples, epochs, every, warmup):
  chosen = Situation('momentum', num_examples=num_examples)
  assert chosen.epochs() == epochs
  assert chosen.validate_every_epochs() == every
  assert chosen.warmup_epochs(None, None) == warmup


def test_the_warmup_follows_the_length_that_is_given():
  chosen = Situation('momentum', num_examples=320, batch_size=32)
  assert chosen.warmup_epochs(epochs=5.0, max_steps=None) == 0.5  # 5 of 50 steps
  assert chosen.warmup_epochs(epochs=5.0, max_steps=200) == 2.0  # 20 of 200 steps


@pytest.mark.parametrize('batch_size', [1, 8, 32, 256])
def test_the_warmup_of_imagenet_has_a_hundred_steps(batch_size):
  images = 1_281_167
  chosen = Situation('momentum', num_examples=images, batch_size=batch_size)
  steps = chosen.warmup_epochs(epochs=14.0, max_steps=None) * images / batch_size
  assert round(steps) == 100


def test_settings_of_another_schedule_choose_it():
  assert recommended.schedule([]) == 'cosine'
  assert recommended.schedule(['staircase']) == 'exponential'
  assert recommended.schedule(['end_learning_rate']) == 'cosine'


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_the_page_on_defaults_shows_the_rates(optimizer):
  rates = (
    Situation(optimizer),
    Situation(optimizer, has_batch_norm=True),
    Situation(optimizer, is_trained=True),
  )
  row = ' | '.join(f'{situation.learning_rate():g}' for situation in rates)
  assert f'| `{optimizer}` | {row} |' in PAGE.read_text(encoding='utf-8')
