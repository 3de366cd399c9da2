import dataclasses

import pytest

from tests.training.memory_plan_test import config_of
from vgg_slim.configs.config import OptimizerConfig
from vgg_slim.nets import specs, summary
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


def test_frozen_stages_keep_only_the_input_of_the_first_that_is_trained():
  scopes = ('vgg_16/conv3', 'vgg_16/fc6', 'vgg_16/fc7', 'vgg_16/fc8')
  spec = specs.get('vgg16')
  network = [spec, 1000, 224, 4096, None, 'float32', OptimizerConfig(moving_average_decay=0.9)]
  memory = step_memory.describe_network(*network, scopes)
  whole = step_memory.describe_network(*network)
  assert memory.num_frozen == 2
  assert [stage.kept for stage in memory.stages[:2]] == [0, 4 * 56**2 * 128]
  # conv1_2: its input beside its sums and what ReLU makes of them, for one image.
  assert memory.stages[0].workspace == 4 * 3 * 224**2 * 64
  assert memory.stages[2:4] == whole.stages[2:4]
  trained = 9 * (128 * 256 + 2 * 256**2) + 3 * 256 + 25088 * 4096 + 4096**2 + 4096 * 1000 + 9192
  assert memory.weights == 4 * trained
  # Momentum of what is trained, and averages of everything.
  assert memory.slots == 4 * (trained + 138_357_544)
  assert memory.variables == whole.variables
  # As if nothing were computed again below.
  assert memory.peak(16, 1, (1,) * 3) == memory.peak(16, 1, (0, 0, 1))


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
  memory = step_memory.describe(config)
  started = step_memory.TENSORFLOW + memory.graph()
  assert parts.tensorflow == started + parts.gradients + parts.activations
  memory = step_memory.describe(config_of())
  assert memory.parts(16).tensorflow == step_memory.TENSORFLOW + memory.graph() + 360 * MIB


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


def test_stages_in_the_same_parts_go_through_together():
  memory = step_memory.describe(config_of())
  first, *_, last = memory.stages
  # The images, gradients of both ends, whole and in parts, and one image's layers.
  expected = 16 * first.input + 2 * 16 * (first.input + last.output)
  expected += sum(stage.kept for stage in memory.stages)
  expected += max(stage.workspace for stage in memory.stages)
  assert memory.parts(16, 1, (16,) * 5).activations == expected
  together, apart = ((16, 16, 8), (16, 15, 8))
  peaks = [memory.peak_of_stage(16, 1, together, index) for index in range(3)]
  assert peaks[0] == peaks[1] != peaks[2]
  assert peaks[1] < memory.peak_of_stage(16, 1, apart, 1)


def test_each_micro_batch_has_a_graph_of_its_own():
  memory = step_memory.describe(config_of('resnet50'))
  again = (1,) * 17
  for micro_batches, parts, operations in (
    (1, (), 7555),
    (4, (), 19772),
    (1, again, 10308),
    (4, again, 30784),
  ):
    graph = memory.graph(micro_batches, parts)
    assert graph == pytest.approx(20 * 1024 * operations, rel=0.15)
    assert memory.parts(1, micro_batches, parts).tensorflow > step_memory.TENSORFLOW + graph
  # Parts of a batch are computed in a loop.
  loops = step_memory.describe(config_of()).graph(1, (16, 16, 16, 8, 2))
  assert loops == pytest.approx(20 * 1024 * 1830, rel=0.15)


def test_in_blocks_neither_the_gradient_nor_a_copy_of_large_kernels_exists():
  low = dataclasses.replace(config_of().runtime, precision='bfloat16')
  for config, copy in ((config_of(), 0), (dataclasses.replace(config_of(), runtime=low), 2)):
    memory = step_memory.describe(config)
    large = 7 * 7 * 512 * 4096 + 4096 * 4096  # fc6 and fc7, but not fc8
    assert memory.blocked == 4 * large
    assert memory.variables - memory.parts(1, 1, (1,) * 5).weights == copy * large
    assert memory.parts(1, 1, (1,) * 5).gradients < memory.largest // 4
    assert memory.parts(1, 2, (1,) * 5).gradients == memory.weights + memory.largest
    assert memory.parts(1, 1, ()).gradients == memory.largest
    assert step_memory.describe(config, replicas=2).blocked == 0


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
