import dataclasses

import pytest

from vgg_slim.configs.net import NetConfig, Network
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    NetConfig(1, dropout_keep_prob=0.0, initializer='x', classifier_activation='y')
  for message in (
    'num_classes must be at least 2, got 1',
    'dropout_keep_prob must be in (0, 1], got 0.0',
    'initializer must be one of',
    "got 'x'",
    'classifier_activation must be one of',
  ):
    assert message in str(error.value)


def test_a_sigmoid_has_one_logit_for_two_classes():
  assert NetConfig(2).num_logits == 2
  assert NetConfig(2, classifier_activation='sigmoid').num_logits == 1
  with pytest.raises(ConfigError, match="num_classes must be 2 for .*'sigmoid', got 3"):
    NetConfig(3, classifier_activation='sigmoid')


def test_a_trunk_has_no_classes_and_no_sigmoid():
  assert Network(None).is_trunk
  assert Network(None).num_logits is None
  assert not Network(2).is_trunk
  with pytest.raises(ConfigError, match='num_classes must be at least 2, got 1'):
    Network(1)
  with pytest.raises(ConfigError, match="num_classes must be 2 for .*'sigmoid', got None"):
    Network(None, classifier_activation='sigmoid')
  with pytest.raises(
    ConfigError, match='num_classes must be an integer of at most 32 bits, got None'
  ):
    NetConfig(None)


def test_the_network_of_a_config_leaves_out_the_settings_of_training():
  config = NetConfig(2, 'vgg_a', 'fc256', 64, 8, 'sigmoid', 0.9, 'he')
  assert config.network == Network(2, 'vgg_a', 'fc256', 64, 8, 'sigmoid')
  assert {field.name for field in dataclasses.fields(NetConfig)} - {
    field.name for field in dataclasses.fields(Network)
  } == {'dropout_keep_prob', 'initializer'}
