import dataclasses
import re

import numpy as np
import pytest

from tests.testing import graph_session, thin_model, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import tf
from vgg_slim.configs.config import OptimizerConfig
from vgg_slim.errors import ConfigError
from vgg_slim.ops import block_sizes, conv_thresholds
from vgg_slim.training import graph, memory_plan
from vgg_slim.training.memory_plan import MemoryPlan

GIB = 2**30


def config_of(model='vgg16', batch_size=16, optimizer=None, **runtime):
  config = train_config('data', a_manifest(), batch_size=batch_size)
  return dataclasses.replace(
    config,
    net=dataclasses.replace(
      config.net, model=model, num_classes=1000, image_size=224, fc_units=4096
    ),
    class_names=tuple(map(str, range(1000))),
    preprocessing=dataclasses.replace(
      config.preprocessing, train_scale_min=256, train_scale_max=256
    ),
    optimizer=OptimizerConfig(**optimizer or {}),
    runtime=dataclasses.replace(config.runtime, **runtime),
  )


@pytest.fixture(autouse=True)
def zen4(monkeypatch):
  """What Winograd's algorithm keeps depends on the processor; these are the sizes of Zen 4."""
  kinds = conv_thresholds.BY_KIND
  monkeypatch.setattr(conv_thresholds, 'current', lambda: kinds['avx512_bf16'])


def test_without_a_budget_the_config_decides():
  assert memory_plan.choose(config_of()) == MemoryPlan(1)
  again = memory_plan.choose(config_of(recompute='stages'))
  assert again == MemoryPlan(1, (1,) * 5, in_blocks=True)
  four = config_of(optimizer={'gradient_accumulation_steps': 4})
  assert memory_plan.choose(four) == MemoryPlan(4)
  assert memory_plan.describe(four, memory_plan.choose(four)) is None


def test_the_tighter_the_budget_the_slower_the_plan():
  budgets = [8e9, 4.1e9, 3e9, 2.4e9]
  plans = [memory_plan.choose(config_of(memory_budget=f'{budget / 1e9}GB')) for budget in budgets]
  assert plans[0][:2] == (1, ())
  assert plans[1][:2] == (2, ())
  assert plans[2].micro_batches == 1
  assert 1 <= len(plans[2].stage_parts) < len(plans[3].stage_parts)
  assert max(plans[3].stage_parts) > 1
  assert all(plan.predicted <= budget for plan, budget in zip(plans, budgets, strict=True))


def test_batch_norm_sees_the_whole_batch_as_long_as_recomputation_suffices():
  plan = memory_plan.choose(config_of('resnet50', memory_budget='2GB'))
  assert plan.micro_batches == 1
  assert set(plan.stage_parts) == {1}
  plan = memory_plan.choose(config_of('resnet50', batch_size=32, memory_budget='2.2GB'))
  assert plan.micro_batches == 2
  assert set(plan.stage_parts) == {1}


def test_the_config_limits_the_choice():
  config = config_of(
    memory_budget='4GB', recompute='none', optimizer={'gradient_accumulation_steps': 2}
  )
  plan = memory_plan.choose(config)
  assert plan.stage_parts == ()
  assert plan.micro_batches % 2 == 0
  assert len(memory_plan.choose(config_of(memory_budget='8GB', recompute='stages'))[1]) == 5


def test_the_choice_is_said_aloud():
  config = config_of(memory_budget='2.6GB')
  plan = MemoryPlan(2, (4, 2, 1), round(2.4 * GIB))
  assert memory_plan.describe(config, plan) == (
    'Memory budget 2.6GB: batch 16 as 2 micro-batches of 8 with recomputation of 3 stages '
    '(2, 4, 8 images at once), predicted peak 2.58GB.'
  )
  assert memory_plan.describe(config, MemoryPlan(1, (), GIB)) == (
    'Memory budget 2.6GB: batch 16 without recomputation, predicted peak 1.08GB.'
  )


def test_the_error_names_a_budget_that_fits():
  with pytest.raises(ConfigError) as error:
    memory_plan.choose(config_of(memory_budget='1GB'))
  message = str(error.value)
  assert message.startswith('--memory_budget=1GB: a step of vgg16 with 16 images at 224 px needs ')
  assert 'a smaller --batch_size, --fc_units, --image_size' in message
  budget = re.search(r'needs ([\d.]+GB), however it is divided', message)[1]
  assert memory_plan.choose(config_of(memory_budget=budget)).stage_parts
  with pytest.raises(ConfigError, match='--recompute=auto'):
    memory_plan.choose(config_of(memory_budget='1GB', recompute='none'))


def test_units_are_advised_only_where_the_network_has_them():
  advice = 'Give that much, or a smaller --batch_size, --image_size or --model'
  with pytest.raises(ConfigError, match=advice):
    memory_plan.choose(config_of('resnet50', memory_budget='500MiB'))


HEAD = ('vgg_16/fc6', 'vgg_16/fc7', 'vgg_16/fc8')


def fine_tuned(model, scopes, **settings):
  config = config_of(model, **settings)
  fine_tune = dataclasses.replace(config.fine_tune, trainable_scopes=scopes)
  return dataclasses.replace(config, fine_tune=fine_tune)


def test_frozen_stages_are_neither_divided_nor_computed_again():
  config = fine_tuned('vgg16', ('vgg_16/conv4', *HEAD), memory_budget='2.65GiB')
  plan = memory_plan.choose(config)
  assert plan.stage_parts[:3] == (0, 0, 0)
  assert plan.stage_parts[3] >= 1
  assert plan.predicted <= 2.65 * GIB
  assert 'with recomputation of 1 stage' in memory_plan.describe(config, plan)
  # Their forward pass sees the whole batch, which conv1 limits.
  with pytest.raises(ConfigError, match=r'needs 2\.6\dGiB, however it is'):
    memory_plan.choose(fine_tuned('vgg16', ('vgg_16/conv5', *HEAD), memory_budget='2.02GiB'))
  head = memory_plan.choose(fine_tuned('vgg16', HEAD, memory_budget='2.65GiB', recompute='stages'))
  assert head[:2] == (1, ())


def test_a_head_alone_needs_little():
  scopes = ('resnet50/logits',)
  plan = memory_plan.choose(fine_tuned('resnet50', scopes, batch_size=64, memory_budget='2.4GiB'))
  assert plan[:2] == (1, ())  # a whole step was measured at 1.73 GiB; all layers need 6.6
  assert plan.predicted < 2.3 * GIB


def test_a_batch_that_cannot_be_shared_is_left_to_the_distribution():
  accumulated = {'gradient_accumulation_steps': 16}
  config = config_of(memory_budget='8GB', optimizer=accumulated)
  assert memory_plan.choose(config, replicas=2) == MemoryPlan(16)
  one = config_of(batch_size=1, memory_budget='8GB')
  assert memory_plan.choose(one, replicas=2) == MemoryPlan(1)


def test_a_budget_is_for_one_device():
  config = config_of(memory_budget='4GB')
  with pytest.raises(ConfigError, match='memory_budget=4GB is for one device'):
    dataclasses.replace(
      config, distribution=dataclasses.replace(config.distribution, num_devices=2)
    )


@pytest.mark.parametrize(('precision', 'budget'), [('float32', '2.02GiB'), ('bfloat16', '2GiB')])
def test_vgg16_fits_into_little_more_than_two_gib(precision, budget):
  plan = memory_plan.choose(config_of(memory_budget=budget, precision=precision))
  assert plan.micro_batches == 1
  assert plan.in_blocks
  assert plan.stage_parts[0] == plan.stage_parts[1] > 1  # the two largest maps never exist whole


def test_gradients_are_applied_in_blocks_where_no_step_needs_them_whole():
  def in_blocks(**optimizer):
    return memory_plan.choose(config_of(recompute='stages', optimizer=optimizer)).in_blocks

  assert in_blocks()
  assert in_blocks(weight_decay=0.0)
  assert not memory_plan.choose(config_of()).in_blocks
  assert not memory_plan.choose(config_of(recompute='stages'), replicas=2).in_blocks
  assert not in_blocks(clip_gradient_norm=1.0)
  assert not in_blocks(nesterov=True)
  assert not in_blocks(optimizer='adam')
  assert not in_blocks(gradient_accumulation_steps=2)


@pytest.mark.parametrize(
  'plan', [MemoryPlan(1, (1,) * 5, in_blocks=True), MemoryPlan(2, (2, 2, 1), in_blocks=True)]
)
def test_a_step_of_a_plan_is_the_step_of_the_whole_batch(monkeypatch, plan):
  config = train_config('data', a_manifest(), batch_size=4)
  thin_model(monkeypatch, config.net.model)
  monkeypatch.setattr(block_sizes, 'LEAST_BYTES', 0)
  monkeypatch.setattr(block_sizes, 'BLOCK_BYTES', 256)
  images = np.random.default_rng(0).normal(size=[4, 32, 32, 3]).astype(np.float32)

  def weights_after(plan):
    monkeypatch.setattr(memory_plan, 'choose', lambda *_: plan)
    with graph_session() as session:
      ops = graph.build_train_graph(
        config, tf.constant(images), tf.constant([0, 1, 0, 1]), steps_per_epoch=1.0
      )
      session.run(tf.global_variables_initializer())
      session.run(ops.train_op)
      return session.run(tf.trainable_variables())

  for whole, divided in zip(weights_after(MemoryPlan(1)), weights_after(plan), strict=True):
    if plan.micro_batches == 1:
      np.testing.assert_array_equal(divided, whole)
    else:  # sums of float32 in another order
      np.testing.assert_allclose(divided, whole, rtol=1e-4, atol=1e-5)
