import dataclasses

import pytest

from tests.training.memory_plan_test import config_of
from vgg_slim.nets import summary
from vgg_slim.ops import conv_thresholds
from vgg_slim.training import step_memory

MIB = 2**20


@pytest.fixture(autouse=True)
def zen4(monkeypatch):
  """What Winograd's algorithm keeps depends on the processor; these are the sizes of Zen 4."""
  kinds = conv_thresholds.BY_KIND
  monkeypatch.setattr(conv_thresholds, 'current', lambda: kinds['avx512_bf16'])


def test_stages_of_vgg16_are_those_of_hand_arithmetic(monkeypatch):
  memory = step_memory.describe(config_of())
  assert len(memory.stages) == 5
  first, second = memory.stages[:2]
  assert first.input == 224 * 224 * 3 * 4
  assert first.output == 112 * 112 * 64 * 4
  assert first.kept == (2 * 224 * 224 + 112 * 112) * 64 * 4  # two convolutions and the pool
  assert first.weights == (3 * 3 * 3 * 64 + 3 * 3 * 64 * 64) * 4
  assert first.multiply_adds == 224 * 224 * (3 * 3 * 3 * 64 + 3 * 3 * 64 * 64)
  # conv2_1 and conv2_2 keep 36 numbers for each of their 28 x 28 tiles and input channels.
  assert second.kept == ((2 * 112 * 112 + 56 * 56) * 128 + 36 * 28 * 28 * (64 + 128)) * 4
  # One image has only 4 x 4 tiles here, a batch enough.
  assert memory.stages[4].kept == (3 * 14 * 14 + 7 * 7 + 3 * 36 * 4 * 4) * 512 * 4
  assert sum(stage.multiply_adds for stage in memory.stages) == 15_346_630_656
  assert memory.weights == 138_357_544 * 4
  assert memory.variables == memory.slots == memory.weights
  assert memory.largest == 7 * 7 * 512 * 4096 * 4
  # With AVX2 alone conv1_2 keeps transformed maps of 64 channels, too.
  monkeypatch.setattr(conv_thresholds, 'current', lambda: conv_thresholds.BY_KIND['avx2'])
  more = step_memory.describe(config_of()).stages
  assert more[0].kept - first.kept == 36 * 56 * 56 * 64 * 4
  assert more[1].kept == second.kept


def test_the_parts_are_those_of_the_peak():
  memory = step_memory.describe(config_of())
  parts = memory.parts(16, 2, (1, 1))
  assert parts.total == memory.peak(16, 2, (1, 1)) == parts.tensorflow + parts.beside_tensorflow
  assert parts.weights == parts.momentum == memory.weights
  # The sum of the gradients, and the one of fc6 that is added to it.
  assert parts.gradients == memory.weights + memory.largest


def test_of_a_small_network_little_is_freed_for_a_moment():
  config = config_of('vgg16@8')
  parts = step_memory.describe(config).parts(1)
  assert parts.tensorflow == 640 * MIB + parts.gradients + parts.activations
  assert step_memory.describe(config_of()).parts(16).tensorflow == 1000 * MIB


def test_recomputation_parts_and_micro_batches_each_need_less():
  memory = step_memory.describe(config_of())
  peaks = [
    memory.peak(16, 1, ()),
    memory.peak(16, 1, (1,) * 5),
    memory.peak(16, 1, (4, 4, 2, 1, 1)),
  ]
  assert peaks == sorted(peaks, reverse=True)
  assert len(set(peaks)) == 3
  # Each micro-batch adds its gradients to those before it.
  assert memory.peak(1, 16, ()) > memory.peak(1, 1, ()) + memory.weights // 2
  assert memory.peak(1, 16, ()) < memory.peak(16, 1, ())


def test_clipping_and_optimizers_without_folded_decay_need_more():
  config = config_of()
  plain = step_memory.describe(config)
  clipped = dataclasses.replace(config.optimizer, clip_gradient_norm=1.0)
  held = step_memory.describe(dataclasses.replace(config, optimizer=clipped))
  # All gradients, and while the head is updated the sum of one of them with its decay.
  assert held.peak(1, 1, ()) == plain.peak(1, 1, ()) + plain.weights + plain.largest
  adam = dataclasses.replace(config.optimizer, optimizer='adam')
  assert step_memory.describe(dataclasses.replace(config, optimizer=adam)).gradient_copies == 2


def test_low_precision_halves_activations_and_adds_a_copy_of_the_weights():
  config = config_of()
  runtime = dataclasses.replace(config.runtime, precision='bfloat16')
  low = step_memory.describe(dataclasses.replace(config, runtime=runtime))
  full = step_memory.describe(config)
  assert low.variables == full.variables + full.weights // 2
  assert low.stages[0].kept == full.stages[0].kept // 2
  assert summary.PRECISIONS['bfloat16'].activation == 2
