import pytest

from vgg_slim.configs.optimizer import OPTIMIZERS, OptimizerConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    OptimizerConfig(
      learning_rate=0,
      optimizer='lion',
      momentum=1.0,
      weight_decay=-1,
      weight_decay_on=('fc8',),
      clip_gradient_norm=0,
      gradient_accumulation_steps=0,
      label_smoothing=1,
      moving_average_decay=1,
    )
  for message in (
    'learning_rate must be positive',
    "optimizer must be one of ('momentum', 'sgd'",
    'momentum must be in [0, 1)',
    'weight_decay must be',
    "weight_decay_on must be some of ('weights', 'biases', 'batch_norm')",
    'clip_gradient_norm must be positive',
    'gradient_accumulation_steps must be at least 1',
    'label_smoothing must be in [0, 1)',
    'moving_average_decay must be in (0, 1)',
  ):
    assert message in str(error.value)


def test_only_adamw_decays_weights_in_its_update():
  assert [name for name, row in OPTIMIZERS.items() if row.decays_weights] == ['adamw']


def test_every_setting_of_a_row_is_a_field():
  fields = set(OptimizerConfig.__dataclass_fields__)
  assert {setting for row in OPTIMIZERS.values() for setting in row.settings} <= fields


def test_momentum_defaults_to_that_of_the_rule():
  rules = ('momentum', 'adam', 'rmsprop')
  assert [OptimizerConfig(optimizer=name).momentum for name in rules] == [0.9, 0.9, 0.0]
  assert OptimizerConfig(optimizer='rmsprop', momentum=0.9).momentum == 0.9
