import dataclasses

import pytest

from tests.training.memory_plan_test import config_of
from vgg_slim.ops import conv_thresholds
from vgg_slim.training import validation_memory

MIB = 2**20


@pytest.fixture(autouse=True)
def zen4(monkeypatch):
  """What Winograd's algorithm keeps depends on the processor; these are the sizes of Zen 4."""
  kinds = conv_thresholds.BY_KIND
  monkeypatch.setattr(conv_thresholds, 'current', lambda: kinds['avx512_bf16'])


def test_vgg16_needs_what_hand_arithmetic_says():
  fixed, each = validation_memory.needed_memory(config_of())
  channels = [(128, 128), (128, 256), *[(256, 256)] * 2, (256, 512), *[(512, 512)] * 5]
  cached = 36 * 4 * sum(n * m for n, m in channels)
  graph = 20 * 1024 * (60 * 23 + 18 * 32)  # of 23 layers and 32 variables
  assert fixed == 960 * MIB + graph + 138_357_544 * 4 + cached
  # conv2_2 and its transformed tiles, beside three batches of images.
  conv2_2 = 2 * 112**2 * 128 + 36 * 28**2 * 2 * 128
  assert each == 4 * (conv2_2 + 3 * 3 * 224**2)


def test_the_budget_limits_the_images():
  assert validation_memory.batch_size(config_of()) == (64, None)
  assert validation_memory.batch_size(config_of(memory_budget='20GB'))[0] == 64
  images, line = validation_memory.batch_size(config_of(memory_budget='2.3GB'))
  assert 1 < images < 64
  assert line.startswith(f'Memory budget 2.3GB: validation at batch {images}, predicted peak 2.')
  fixed, each = validation_memory.needed_memory(config_of())
  assert fixed + images * each <= 2.3e9 < fixed + (images + 1) * each
  images, line = validation_memory.batch_size(config_of(memory_budget='1.8GB'))
  assert images == 1
  assert 'even with one image at once' in line


def test_a_wanted_batch_size_is_taken_and_compared_with_the_budget():
  assert validation_memory.batch_size(config_of(), wanted=500) == (500, None)
  config = config_of(memory_budget='2.3GB')
  largest, _ = validation_memory.batch_size(config)
  images, line = validation_memory.batch_size(config, wanted=largest)
  assert images == largest
  assert line.startswith(f'Memory budget 2.3GB: validation at batch {largest}, predicted peak 2.')
  fixed, each = validation_memory.needed_memory(config)
  needs = -(-(fixed + (largest + 1) * each) // 10**7) / 100
  assert validation_memory.batch_size(config, wanted=largest + 1) == (
    largest + 1,
    f'Memory budget 2.3GB: validation at batch {largest + 1} needs {needs:g}GB.',
  )


def test_workers_keep_their_variables():
  config = config_of(memory_budget='4GB')
  alone, each = validation_memory.needed_memory(config)
  fixed, same = validation_memory.needed_memory(config, num_workers=2)
  assert (fixed, same) == (alone + 2 * 138_357_544 * 4, each)  # weights and momentum
  assert validation_memory.batch_size(config, 2)[0] == (4e9 - fixed) // each


def test_all_kinds_of_layers_are_counted():
  config = config_of('resnet50')
  fixed, each = validation_memory.needed_memory(config)
  low = dataclasses.replace(config.runtime, precision='bfloat16')
  assert validation_memory.needed_memory(dataclasses.replace(config, runtime=low))[1] < each < fixed
