import dataclasses

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import make_contract
from tests.training.graph_test import a_manifest
from vgg_slim.checkpoints import contract
from vgg_slim.commands import train as _  # noqa: F401  (defines every group of flags)
from vgg_slim.commands.flags import config_flags
from vgg_slim.configs import config
from vgg_slim.data.manifest import Split
from vgg_slim.errors import CheckpointError, ConfigError


def from_flags(manifest, *arguments):
  with flagsaver.flagsaver():
    flags.FLAGS(['test', *arguments])
    return config_flags.train_config_from_flags('data', manifest)


def test_defaults_that_nothing_computes_are_those_of_the_config_classes():
  got = from_flags(a_manifest(), '--epochs=14', '--learning_rate_decay_type=exponential')
  rate = got.optimizer.learning_rate
  assert got.optimizer == config.OptimizerConfig(learning_rate=rate)
  assert got.run == config.RunConfig()
  assert got.net == config.NetConfig(num_classes=2, image_size=32)


@pytest.mark.parametrize(
  ('largest_side', 'image_size', 'scale'), [(8, 32, 36), (64, 32, 36), (65, 224, 256)]
)
def test_default_sides_follow_the_largest_image(largest_side, image_size, scale):
  manifest = dataclasses.replace(a_manifest(), largest_side=largest_side)
  got = from_flags(manifest)
  assert got.net.image_size == image_size
  assert got.preprocessing.train_scale_min == got.preprocessing.train_scale_max == scale


@pytest.mark.parametrize(
  ('mirror_safe', 'arguments', 'flip'),
  [
    (True, [], True),
    (False, [], False),
    (False, ['--random_flip'], True),
    (True, ['--norandom_flip'], False),
  ],
)
def test_images_are_mirrored_only_where_that_is_safe(mirror_safe, arguments, flip):
  manifest = dataclasses.replace(a_manifest(), mirror_safe=mirror_safe)
  assert from_flags(manifest, *arguments).preprocessing.random_flip is flip


def test_every_flag_reaches_its_field():
  got = from_flags(
    a_manifest(),
    '--model=vgg_c',
    '--image_size=64',
    '--fc_units=99',
    '--train_scale_min=70',
    '--train_scale_max=80',
    '--learning_rate=0.5',
    '--max_steps=12',
    '--momentum=0.7',
    '--learning_rate_decay_type=piecewise',
    '--learning_rate_boundaries=2,3.5',
    '--weight_decay_on=weights,biases',
    '--keep_best',
    '--profile_steps=3,4',
    '--precision=bfloat16',
  )
  assert (got.net.model, got.net.image_size, got.net.fc_units) == ('vgg_c', 64, 99)
  assert (got.preprocessing.train_scale_min, got.preprocessing.train_scale_max) == (70, 80)
  assert got.optimizer.learning_rate_boundaries == (2.0, 3.5)
  assert got.optimizer.weight_decay_on == ('weights', 'biases')
  assert got.run.profile_steps == (3, 4)
  assert (got.run.keep_best, got.runtime.precision) == (True, 'bfloat16')
  assert (got.optimizer.learning_rate, got.optimizer.momentum, got.run.max_steps) == (0.5, 0.7, 12)


def test_augmentation_flags_reach_the_preprocessing():
  got = from_flags(a_manifest(), '--rgb_shift=0.1', '--zoom_max=1.5', '--featurewise_std')
  preprocessing = got.preprocessing
  assert (preprocessing.rgb_shift, preprocessing.zoom_max) == (0.1, 1.5)
  assert preprocessing.rgb_covariance == a_manifest().rgb_covariance
  assert preprocessing.pixel_scale == tuple(1 / std for std in a_manifest().rgb_std)
  assert from_flags(a_manifest()).preprocessing.rgb_covariance is None


def test_pixels_without_the_mean_or_standardized():
  manifest = a_manifest()
  assert from_flags(manifest).preprocessing.rgb_mean == manifest.rgb_mean
  assert from_flags(manifest, '--nosubtract_mean').preprocessing.rgb_mean == (0, 0, 0)
  got = from_flags(manifest, '--per_image_standardization', '--nokeep_aspect_ratio')
  assert (got.preprocessing.rgb_mean, got.preprocessing.pixel_scale) == ((0, 0, 0), 1)
  rules = got.evaluation_preprocessing
  assert (rules.per_image_standardization, rules.keep_aspect_ratio) == (True, False)
  with pytest.raises(ConfigError, match='per_image_standardization needs .* pixel_scale=1, got'):
    from_flags(manifest, '--per_image_standardization', '--pixel_scale=0.5')


@pytest.mark.parametrize(
  ('argument', 'message'),
  [
    ('--model=vgg99', "Unknown model 'vgg99'"),
    ('--image_size=16', 'image_size=16 is too small'),
    ('--train_scale_min=20', 'train_scale_min=20 is smaller than image_size=32'),
    ('--learning_rate_values=2,x', '--learning_rate_values=2,x: expected comma-separated numbers'),
    ('--profile_steps=3', 'profile_steps must be the first step, at least 1, and the last'),
    ('--profile_steps=3-5', '--profile_steps=3-5: expected comma-separated integers'),
    ('--batch_size=0', 'batch_size must be at least 1, got 0'),
  ],
)
def test_errors_name_the_wrong_value(argument, message):
  with pytest.raises(ConfigError, match=message):
    from_flags(a_manifest(), argument)


def test_wrong_values_of_every_section_are_listed_at_once():
  arguments = ['--model=vgg99', '--learning_rate=-1', '--batch_size=0', '--num_threads=-1']
  with pytest.raises(ConfigError) as error:
    from_flags(a_manifest(), *arguments)
  for name in ("'vgg99'", 'learning_rate', 'batch_size', 'num_threads'):
    assert name in str(error.value)


class TestImportedWeights:
  @pytest.fixture
  def checkpoint(self, tmp_path):
    source = contract.Source('vgg16.h5', 'Keras .h5', '0' * 64)
    imported = make_contract(
      'vgg16', 1000, 224, 4096, source, rgb_mean=(1.0, 2.0, 3.0), pixel_scale=0.5
    )
    contract.write_contract(tmp_path / 'vgg16.json', imported)
    return str(tmp_path / 'vgg16')

  def test_preprocessing_defaults_to_that_of_the_checkpoint(self, checkpoint):
    got = from_flags(a_manifest(), f'--checkpoint_path={checkpoint}').preprocessing
    assert (got.rgb_mean, got.pixel_scale) == ((1.0, 2.0, 3.0), 0.5)

  def test_another_pixel_scale_is_refused(self, checkpoint):
    with pytest.raises(CheckpointError, match='pixel_scale 0.5, here 1.0'):
      from_flags(a_manifest(), f'--checkpoint_path={checkpoint}', '--pixel_scale=1')

  def net(self, tmp_path, *arguments, **changes):
    values = {'model': 'vgg_c', 'num_classes': 2, 'image_size': 64, 'fc_units': 8, **changes}
    contract.write_contract(tmp_path / 'w.json', make_contract(**values))
    return from_flags(a_manifest(), f'--checkpoint_path={tmp_path / "w"}', *arguments).net

  def test_network_defaults_to_that_of_the_checkpoint(self, tmp_path):
    changes = {'head': 'fc256', 'classifier_activation': 'sigmoid'}
    assert self.net(tmp_path, **changes) == config.NetConfig(
      2, 'vgg_c', 'fc256', 64, fc_units=8, classifier_activation='sigmoid'
    )

  def test_flags_override_the_checkpoint(self, tmp_path):
    got = self.net(tmp_path, '--model=vgg16', '--head=vgg', '--image_size=96', '--fc_units=7')
    assert got == config.NetConfig(2, 'vgg16', 'vgg', 96, fc_units=7)

  def test_a_trunk_leaves_the_image_size_to_the_data_set(self, tmp_path):
    got = self.net(tmp_path, num_classes=None, fc_units=None, image_size=224)
    assert got == config.NetConfig(2, 'vgg_c', image_size=32)

  def test_from_net_a_does_not_take_over_the_model(self, tmp_path):
    assert self.net(tmp_path, '--from_net_a', model='vgg_a').model == 'vgg16'

  def test_another_number_of_classes_resets_the_activation(self, tmp_path):
    got = self.net(tmp_path, num_classes=5)
    assert got.classifier_activation == 'softmax'


def uneven_manifest():
  return dataclasses.replace(a_manifest(), splits={'train': Split(40, (30, 10), ())})


def test_class_weights_become_numbers_of_a_mean_of_1():
  got = from_flags(uneven_manifest(), '--class_weights=balanced')
  assert got.optimizer.class_weights == pytest.approx((40 / 60, 40 / 20))
  assert got.balances_classes
  assert from_flags(uneven_manifest(), '--class_weights=1,3').optimizer == got.optimizer
  assert from_flags(uneven_manifest()).optimizer.class_weights == ()
  with pytest.raises(ConfigError, match='3 numbers for 2 classes'):
    from_flags(uneven_manifest(), '--class_weights=1,2,3')


def test_class_weights_and_balanced_batches_are_not_combined():
  assert from_flags(uneven_manifest(), '--balanced_batches').balances_classes
  with pytest.raises(ConfigError, match='together would do so twice; choose one'):
    from_flags(uneven_manifest(), '--balanced_batches', '--class_weights=balanced')
