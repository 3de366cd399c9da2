import dataclasses

import pytest

from tests.configs.config_test import a_config
from vgg_slim.configs import config, fields, resuming
from vgg_slim.errors import CheckpointError, ConfigError

RULES = {name: setting.resume for name, setting in config.all_settings().items()}


def resume(saved, **given):
  return resuming.resume(
    saved, {name.replace('__', '.'): value for name, value in given.items()}, 'runs/x'
  )


def with_optimizer(**values):
  return dataclasses.replace(a_config(), optimizer=config.OptimizerConfig(**values))


def test_settings_that_are_not_given_keep_their_values():
  saved = with_optimizer(learning_rate=0.3, optimizer='adam')
  assert resume(saved) == (saved, ())


def test_each_change_of_a_free_setting_is_reported_in_one_line():
  resumed, ignored = resume(a_config(), run__epochs=99.0, optimizer__momentum=0.5, data_dir='moved')
  assert (resumed.run.epochs, resumed.optimizer.momentum, resumed.data_dir) == (99.0, 0.5, 'moved')
  assert ignored == ()
  assert resuming.compare(a_config(), resumed, 'runs/x') == (
    'optimizer.momentum was 0.9, now 0.5: the new value applies from this step on.',
    'run.epochs was 14.0, now 99.0: the run ends there, and so do polynomial, cosine and '
    'one_cycle unless schedule_epochs is set.',
    "data_dir was 'data', now 'moved': the same images are read from there.",
  )


def test_a_list_from_a_flag_equals_the_saved_tuple():
  saved = with_optimizer(weight_decay_on=('weights', 'biases'))
  assert resume(saved, optimizer__weight_decay_on=['weights', 'biases']) == (saved, ())


def test_every_refused_setting_is_listed():
  with pytest.raises(CheckpointError) as error:
    resume(
      a_config(),
      run__seed=7,
      net__model='vgg11',
      net__image_size=64,  # larger than the saved train_scale_min, which is not what is tested
      data_fingerprint='other',
    )
  message = str(error.value)
  assert message.startswith('runs/x holds another run: ')
  for clash in (
    "net.model was 'vgg16', now 'vgg11'",
    'net.image_size was 32, now 64',
    'run.seed was 0, now 7',
    "data_fingerprint was 'abc', now 'other'",
    'Leave these out to resume it as it is. For a new run give another --train_dir (with '
    '--checkpoint_path=runs/x it starts from these weights), or remove this run with --overwrite.',
  ):
    assert clash in message


def test_a_long_value_is_cut_in_the_message():
  saved = dataclasses.replace(
    a_config(),
    net=config.NetConfig(1000, image_size=32),
    class_names=tuple(f'class {number}' for number in range(1000)),
  )
  with pytest.raises(CheckpointError) as error:
    resume(saved, class_names=('a', 'b'), net__num_classes=2)
  assert len(str(error.value)) < 500


@pytest.mark.parametrize(
  ('before', 'given', 'reason'),
  [
    ({}, {'optimizer': 'adam'}, 'optimizer.optimizer was .momentum., now .adam.'),
    ({}, {'moving_average_decay': 0.9}, 'moving_average_decay was None, now 0.9 .the averages are'),
    ({'moving_average_decay': 0.9}, {'moving_average_decay': None}, 'was 0.9, now None .the aver'),
  ],
)
def test_settings_that_change_the_variables_are_refused(before, given, reason):
  saved = with_optimizer(**before)
  with pytest.raises(CheckpointError, match=reason):
    resume(saved, **{f'optimizer__{name}': value for name, value in given.items()})


def test_the_decay_of_averages_may_change():
  resumed, _ = resume(with_optimizer(moving_average_decay=0.9), optimizer__moving_average_decay=0.5)
  assert resumed.optimizer.moving_average_decay == 0.5


def test_float16_cannot_be_switched_on_but_bfloat16_can():
  assert resume(a_config(), runtime__precision='bfloat16')[0].runtime.precision == 'bfloat16'
  with pytest.raises(CheckpointError, match='float16 stores a loss scale'):
    resume(a_config(), runtime__precision='float16')


def test_a_setting_that_only_matters_at_step_0_keeps_its_value():
  saved = dataclasses.replace(a_config(), fine_tune=config.FineTuneConfig('run/model.ckpt-1'))
  resumed, lines = resume(saved, fine_tune__checkpoint_path='run/model.ckpt-2')
  assert resumed == saved
  assert lines == (
    "fine_tune.checkpoint_path was 'run/model.ckpt-1', now 'run/model.ckpt-2': a resumed "
    'run continues from its own checkpoint.',
  )


def test_two_configs_that_cannot_belong_to_one_run_are_refused():
  assert resuming.compare(a_config(), a_config(), 'runs/x') == ()
  with pytest.raises(
    CheckpointError, match='runs/x holds another run: run.seed was 0, now 7. Leave'
  ):
    resuming.compare(a_config(), a_config(seed=7, epochs=2.0), 'runs/x')


def test_values_out_of_range_are_named():
  with pytest.raises(ConfigError, match=r'epochs must be in \(0, 10\*\*9\], got -1'):
    resume(a_config(), run__epochs=-1)


def test_values_out_of_range_in_two_sections_are_listed_at_once():
  with pytest.raises(ConfigError, match='learning_rate must be .* epochs must be in'):
    resume(a_config(), run__epochs=-1, optimizer__learning_rate=0)


def test_rules_of_two_settings():
  assert RULES['run.batch_size'] is fields.REFUSED
  assert RULES['optimizer.learning_rate'].counters == ('plateau',)
