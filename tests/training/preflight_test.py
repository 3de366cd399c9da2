import dataclasses
import re

import pytest

from tests.testing import train_config
from tests.training.graph_test import a_manifest
from vgg_slim.configs.config import OptimizerConfig
from vgg_slim.errors import TrainingError
from vgg_slim.ops import conv_thresholds
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


def needed(batch_size, micro_batches=1, **optimizer):
  return preflight.needed_memory(config_of(8, **optimizer), batch_size, micro_batches)


def check(config, available, micro_batches=1):
  return preflight.check_memory(config, available, micro_batches)


def test_a_step_needs_what_hand_arithmetic_says(monkeypatch):
  kinds = conv_thresholds.BY_KIND
  monkeypatch.setattr(conv_thresholds, 'current', lambda: kinds['avx512_bf16'])
  weights = 134_268_738 * 4  # of VGG16 with two classes
  fc6 = 7 * 7 * 512 * 4096 * 4
  # Two maps of conv1, one each of conv2_1 and conv2_2, three of conv3 and so on, and the pools.
  maps = 64 * (2 * 224**2 + 112**2) + 128 * (2 * 112**2 + 56**2)
  maps += 256 * (3 * 56**2 + 28**2) + 512 * (3 * 28**2 + 14**2) + 512 * (3 * 14**2 + 7**2)
  # What Winograd keeps: 36 numbers for each tile of 4x4 pixels and each channel of the input.
  tiles = 36 * (
    28**2 * (64 + 128) + 14**2 * (128 + 2 * 256) + 7**2 * (256 + 2 * 512) + 4**2 * 3 * 512
  )
  assert needed(1) == 2 * weights + fc6 + 4 * (3 * 224**2 + maps + tiles)


def test_the_error_names_a_batch_and_micro_batches_that_fit():
  assert check(config_of(256), needed(256)) is None
  with pytest.raises(TrainingError) as error:
    check(config_of(256), needed(100))
  message = str(error.value)
  assert re.search(
    r'vgg16 at 224 px needs [\d.]+ GiB beside TensorFlow for a step with 256', message
  )
  assert '--batch_size=100 fits; --gradient_accumulation_steps=4 makes the same' in message
  # A micro-batch that just fits is small enough, and its sum of gradients counts.
  with pytest.raises(TrainingError, match='_steps=4 makes'):
    check(config_of(256), needed(64, micro_batches=4))
  with pytest.raises(TrainingError, match='--batch_size=64 fits; .*_steps=8 makes'):
    check(config_of(256), needed(64))
  assert check(config_of(256), needed(100), micro_batches=4) is None


def test_a_batch_of_prime_size_is_answered_at_once():
  prime = 2**31 - 1
  with pytest.raises(
    TrainingError, match=f'=100 fits; --gradient_accumulation_steps={prime} makes'
  ):
    check(config_of(prime), needed(100))


def test_slots_and_averages_need_memory():
  weights, none = 134_268_738 * 4, {'weight_decay': 0.0}
  for copies, optimizer in (
    (0, {'optimizer': 'sgd'}),
    (2, {'optimizer': 'adamw'}),
    (3, {'optimizer': 'adam', 'moving_average_decay': 0.9}),
  ):
    config = config_of(8, **optimizer, **none)
    bytes_needed = needed(8, **optimizer, **none)
    assert bytes_needed - needed(8, **none) == (copies - 1) * weights
    assert check(config, bytes_needed) is None
    with pytest.raises(TrainingError, match='--batch_size=7 fits'):
      check(config, bytes_needed - 1)


def test_one_image_may_fit_exactly():
  assert preflight.largest_batch(config_of(8), needed(1)) == 1
  assert preflight.largest_batch(config_of(8), needed(1) - 1) == 0


def test_micro_batches_are_not_suggested_where_their_sum_of_gradients_does_not_fit():
  with pytest.raises(TrainingError) as error:
    check(config_of(2), needed(1))
  assert str(error.value).endswith('--batch_size=1 fits.')
  with pytest.raises(TrainingError, match='--batch_size=8 fits; .*_steps=8 makes'):
    check(config_of(16), needed(2, micro_batches=4), micro_batches=4)


def test_not_even_one_image_fits():
  with pytest.raises(TrainingError, match='1.0 GiB are free, which is not enough for one image'):
    check(config_of(8), GIB)
