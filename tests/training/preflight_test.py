import dataclasses

import pytest

from tests.testing import train_config
from tests.training.graph_test import a_manifest
from vgg_slim.configs.config import OptimizerConfig
from vgg_slim.errors import TrainingError
from vgg_slim.nets import specs, summary
from vgg_slim.training import preflight

GIB = 1024**3


def config_of(batch_size, **optimizer):
  config = train_config('data', a_manifest(), batch_size=batch_size)
  net = dataclasses.replace(config.net, model='vgg16', image_size=224, fc_units=4096)
  preprocessing = dataclasses.replace(
    config.preprocessing, train_scale_min=256, train_scale_max=256
  )
  return dataclasses.replace(
    config, net=net, preprocessing=preprocessing, optimizer=OptimizerConfig(**optimizer)
  )


def needed(batch_size, copies=1):
  rows = summary.summarize(specs.get('vgg16'), num_classes=2)
  return summary.training_memory(rows, 224, batch_size, copies=copies).total


def test_the_error_names_a_batch_and_micro_batches_that_fit():
  assert preflight.check_memory(config_of(256), needed(256)) is None
  with pytest.raises(TrainingError) as error:
    preflight.check_memory(config_of(256), needed(100))
  message = str(error.value)
  assert 'vgg16 at 224 px needs at least' in message
  assert '--batch_size=100 fits; --gradient_accumulation_steps=4 makes the same' in message
  # A micro-batch that just fits is small enough.
  with pytest.raises(TrainingError, match='--batch_size=64 fits; .*_steps=4 makes'):
    preflight.check_memory(config_of(256), needed(64))
  assert preflight.check_memory(config_of(256, gradient_accumulation_steps=4), needed(100)) is None


def test_a_batch_of_prime_size_is_answered_at_once():
  prime = 2**31 - 1
  with pytest.raises(
    TrainingError, match=f'=100 fits; --gradient_accumulation_steps={prime} makes'
  ):
    preflight.check_memory(config_of(prime), needed(100))


def test_slots_and_averages_need_memory():
  for copies, optimizer in (
    (0, {'optimizer': 'sgd'}),
    (2, {'optimizer': 'adamw'}),
    (3, {'optimizer': 'adam', 'moving_average_decay': 0.9}),
  ):
    config = config_of(8, **optimizer)
    assert preflight.check_memory(config, needed(8, copies)) is None
    with pytest.raises(TrainingError, match='--batch_size=7 fits'):
      preflight.check_memory(config, needed(8, copies) - 1)


def test_one_image_may_fit_exactly():
  assert preflight.largest_batch(config_of(8), needed(1)) == 1
  assert preflight.largest_batch(config_of(8), needed(1) - 1) == 0


def test_not_even_one_image_fits():
  with pytest.raises(TrainingError, match='1.0 GiB are free, which is not enough for one image'):
    preflight.check_memory(config_of(8), GIB)
