import pytest

from vgg_slim.configs.fields import find_setting
from vgg_slim.configs.schedule import SCHEDULES, ScheduleConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    ScheduleConfig(
      learning_rate_decay_type='steps',
      learning_rate_decay_factor=2,
      epochs_per_decay=0,
      learning_rate_boundaries=(3, 1),
      learning_rate_values=(0.1,),
      warmup_epochs=-1,
      plateau_patience=0,
      schedule_epochs=0,
    )
  for message in (
    "learning_rate_decay_type must be one of ('fixed', 'exponential'",
    'learning_rate_decay_factor must be in (0, 1]',
    'epochs_per_decay must be positive',
    'learning_rate_boundaries must be positive, increasing epochs, got (3, 1)',
    'learning_rate_values must be empty or 2 positive rates',
    'warmup_epochs must be at least 0',
    'plateau_patience must be at least 1',
    'schedule_epochs must be positive',
  ):
    assert message in str(error.value)


def test_piecewise_needs_boundaries():
  with pytest.raises(ConfigError, match='learning_rate_boundaries must be given for .piecewise'):
    ScheduleConfig(learning_rate_decay_type='piecewise')


def test_every_setting_of_a_row_is_a_field():
  fields = set(ScheduleConfig.__dataclass_fields__)
  assert {setting for row in SCHEDULES.values() for setting in row.settings} <= fields


def test_the_help_names_the_schedules_that_read_a_setting():
  for name, schedules in (
    ('epochs_per_decay', 'between two decays of exponential.'),
    ('end_learning_rate', 'at the end of polynomial, cosine and one_cycle.'),
    ('learning_rate_decay_type', '; plateau: times the factor whenever validation stops'),
  ):
    assert schedules in find_setting(ScheduleConfig.__dataclass_fields__[name]).help
