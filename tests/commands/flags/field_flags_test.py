import dataclasses

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import own_flags
from vgg_slim.commands import phases
from vgg_slim.commands.flags import field_flags, flag_groups
from vgg_slim.configs import config
from vgg_slim.configs.allowed import at_least, one_of, some_of
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import setting
from vgg_slim.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Some(Config):
  side: int = setting(3, help='A side.', allowed=at_least(1), heading='Sides')
  rate: float | None = setting(None, help='A rate.')
  scale: float | tuple[float, float] = setting(1.0, help='One or two scales.')
  is_on: bool = setting(True, help='A switch.')
  kind: str = setting('a', help='A kind.', allowed=one_of(['a', 'b']))
  name: str | None = setting(None, help='A name.')
  kinds: tuple[str, ...] = setting(('a',), help='Kinds.', allowed=some_of(['a', 'b']))
  rates: tuple[float, ...] = setting((), help='Rates.')
  measured: int = setting(0, help='No flag.', has_flag=False)


@pytest.fixture(scope='module', autouse=True)
def defined():
  with own_flags():
    field_flags.define(
      Some,
      {
        'side': field_flags.Computed('Defaults to that of the image.'),
        'name': field_flags.Computed('Defaults to the first.', ['x', 'y']),
      },
    )
    field_flags.define(config.RunConfig)
    field_flags.define(config.OptimizerConfig)
    yield


@pytest.fixture
def parse():
  with flagsaver.flagsaver():
    yield lambda *arguments: flags.FLAGS(['test', *arguments])


def test_flags_have_the_type_the_default_and_the_help_of_their_fields():
  got = {
    name: (type(flags.FLAGS[name]).__name__, flags.FLAGS[name].default, flags.FLAGS[name].help)
    for name in ('rate', 'scale', 'is_on', 'kind', 'kinds', 'rates')
  }
  assert got == {
    'rate': ('Flag', None, 'A rate.'),
    'scale': ('Flag', 1.0, 'One or two scales.'),
    'is_on': ('BooleanFlag', True, 'A switch.'),
    'kind': ('EnumFlag', 'a', '<a|b>: A kind.'),
    'kinds': ('Flag', ['a'], 'Kinds.'),
    'rates': ('Flag', [], 'Rates.'),
  }
  assert 'measured' not in flags.FLAGS


def test_a_computed_default_is_described_and_the_flag_has_none():
  side, name = flags.FLAGS['side'], flags.FLAGS['name']
  assert (side.default, side.help) == (None, 'A side. Defaults to that of the image.')
  assert (name.default, name.help) == (None, '<x|y>: A name. Defaults to the first.')


def test_a_flag_is_listed_under_the_heading_of_its_field():
  groups = flag_groups.by_heading([flags.FLAGS['side'], flags.FLAGS['rate']], 'Flags')
  assert {heading: [flag.name for flag in shown] for heading, shown in groups.items()} == {
    'Flags': ['rate'],
    'Sides': ['side'],
  }


def test_from_flags_fills_every_field_from_its_flag(parse):
  parse('--rate=0.5', '--scale=2', '--nois_on', '--kind=b', '--kinds=a,b', '--rates=1,2.5')
  expected = Some(3, 0.5, 2.0, False, 'b', 'z', ('a', 'b'), (1.0, 2.5), 7)
  assert field_flags.from_flags(Some, name='z', measured=7) == expected


def test_a_value_that_is_not_allowed_is_refused(parse):
  parse('--side=0')
  with pytest.raises(ConfigError, match='side must be at least 1, got 0'):
    field_flags.from_flags(Some)


def test_given_includes_flags_that_are_given_their_default(parse):
  parse('--kind=a', '--rates=3', '--nois_on')
  assert field_flags.given(Some) == {'is_on': False, 'kind': 'a', 'rates': (3.0,)}
  assert field_flags.is_given('kind')
  assert not field_flags.is_given('side')
  assert not field_flags.is_given('measured')


@pytest.mark.parametrize(
  ('config_class', 'flag', 'text', 'expected'),
  [
    (config.RunConfig, 'profile_steps', '3-5', 'comma-separated integers'),
    (config.OptimizerConfig, 'learning_rate_values', '1,x', 'comma-separated numbers'),
  ],
)
def test_text_that_cannot_be_converted_is_refused(parse, config_class, flag, text, expected):
  parse(f'--{flag}={text}')
  with pytest.raises(ConfigError, match=f'--{flag}={text}: expected {expected}'):
    field_flags.given(config_class)


def test_flags_of_a_phase_are_given_within_it(parse):
  parse('--epochs=14')
  phase = phases.Phase('1_a', {'learning_rate_boundaries': '2,3.5'})
  with phases.applied(phase):
    given = field_flags.given(config.OptimizerConfig)
    assert given == {'learning_rate_boundaries': (2.0, 3.5)}
  assert field_flags.given(config.OptimizerConfig) == {}
