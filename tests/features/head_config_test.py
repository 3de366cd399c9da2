import pytest

from vgg_slim.configs import optimizer
from vgg_slim.configs.run import RunConfig
from vgg_slim.errors import ConfigError
from vgg_slim.features.head_config import OPTIMIZERS, HeadConfig


def test_every_optimizer_is_one_of_training():
  assert set(OPTIMIZERS) < set(optimizer.OPTIMIZERS)


def choose(config, num_examples=100):
  return config.choose_recipe(num_examples, lambda: 0.25)


def test_optimizer_learning_rate_and_weight_decay_suit_the_head():
  heads = ('linear', 'average', 'fc256', 'vgg')
  chosen = [choose(HeadConfig(head)) for head in heads]
  assert [config.optimizer for config in chosen] == ['momentum', 'momentum', 'adam', 'adam']
  assert [config.weight_decay for config in chosen] == [0.25, 0.25, 1e-5, 1e-5]
  for name in OPTIMIZERS:
    linear, hidden = (choose(HeadConfig(h, optimizer=name)).learning_rate for h in heads[1:3])
    assert linear > hidden > 0


def test_given_values_win_over_the_defaults():
  config = HeadConfig(optimizer='rmsprop', learning_rate=0.5, weight_decay=0.0, epochs=7)
  assert choose(config) == ('rmsprop', 0.5, 0.0, 7)


@pytest.mark.parametrize(
  ('images', 'epochs'), [(18, 500), (60, 500), (796, 61), (3200, 20), (50_000, 20)]
)
def test_small_sets_get_enough_steps(images, epochs):
  assert choose(HeadConfig(), images).epochs == epochs


def test_early_stopping_has_the_settings_of_a_run():
  with pytest.raises(ConfigError, match='early_stop_patience must be at least 1, got 0'):
    HeadConfig(early_stop_patience=0)
  assert HeadConfig().best_metric == RunConfig.best_metric


def test_all_invalid_values_are_reported_at_once():
  with pytest.raises(ConfigError, match="optimizer .* got 'sgd'; epochs must be at least 1, got 0"):
    HeadConfig(optimizer='sgd', epochs=0)


def test_head_and_sizes_are_checked():
  with pytest.raises(ConfigError) as error:
    HeadConfig(head='fc8', fc_units=0, initializer='x', seed=-1)
  for message in (
    "head must be one of ('average', ",
    'fc_units must be at least 1, got 0',
    "initializer must be one of ('he', 'glorot', 'normal'), got 'x'",
    'seed must be in [0, 2**31), got -1',
  ):
    assert message in str(error.value)
