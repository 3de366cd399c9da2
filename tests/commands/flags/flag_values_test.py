import pytest
from absl import flags
from absl.testing import flagsaver

from vgg_slim.commands import phases
from vgg_slim.commands import train as _  # noqa: F401  (defines every flag)
from vgg_slim.commands.flags import flag_values
from vgg_slim.configs import config
from vgg_slim.errors import ConfigError


@pytest.fixture(autouse=True)
def parsed():
  with flagsaver.flagsaver():
    flags.FLAGS(['test', '--epochs=14', '--nokeep_best', '--profile_steps=3,4'])
    yield


def test_given_includes_flags_that_are_given_their_default():
  assert flag_values.given(config.RunConfig) == {
    'epochs': 14.0,
    'keep_best': False,
    'profile_steps': (3, 4),
  }
  assert flag_values.given(config.OptimizerConfig) == {}


def test_flags_of_a_phase_are_given_within_it():
  phase = phases.Phase('1_a', {'learning_rate_boundaries': '2,3.5'})
  with phases.applied(phase):
    given = flag_values.given(config.OptimizerConfig)
    assert given == {'learning_rate_boundaries': (2.0, 3.5)}
  assert flag_values.given(config.OptimizerConfig) == {}


def test_from_flags_fills_every_field_from_its_flag():
  got = flag_values.from_flags(config.RunConfig, seed=5)
  assert got == config.RunConfig(seed=5, profile_steps=(3, 4))


@pytest.mark.parametrize(
  ('flag', 'text', 'expected'),
  [
    ('profile_steps', '3-5', 'two comma-separated integers'),
    ('learning_rate_values', '1,x', 'comma-separated numbers'),
  ],
)
def test_text_that_cannot_be_converted_is_refused(flag, text, expected):
  flags.FLAGS[flag].value = text.split(',')
  with pytest.raises(ConfigError, match=f'--{flag}={text}: expected {expected}'):
    flag_values.value(flag)
