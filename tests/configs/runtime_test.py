import pytest

from vgg_slim.configs.runtime import RuntimeConfig, format_like, parse_size
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    RuntimeConfig(precision='int8', num_threads=-1, gpus='first')
  for message in (
    "precision must be one of ('float32', 'bfloat16', 'float16'), got 'int8'",
    'num_threads must be in [0, 1024]',
    "gpus must be comma-separated numbers or 'none', got 'first'",
  ):
    assert message in str(error.value)


@pytest.mark.parametrize('gpus', [None, 'none', '0', '0,12'])
def test_valid_gpus(gpus):
  assert RuntimeConfig(gpus=gpus).gpus == gpus


@pytest.mark.parametrize(
  ('text', 'size'),
  [
    ('2GB', 2_000_000_000),
    ('1.5 GiB', 1_610_612_736),
    ('800MB', 800_000_000),
    ('1MiB', 1_048_576),
    ('2', 0),
    ('2 gigabytes', 0),
    ('-1GB', 0),
    ('1e9GB', 0),
    ('9' * 400 + 'GB', 0),
    ('\N{ARABIC-INDIC DIGIT TWO}GB', 0),
  ],
)
def test_sizes(text, size):
  assert parse_size(text) == size


def test_a_budget_is_a_size():
  assert RuntimeConfig(memory_budget='2GB').memory_budget == '2GB'
  for budget in ('2', '0GB', 'all'):
    with pytest.raises(ConfigError, match='memory_budget must be a size such as 2GB'):
      RuntimeConfig(memory_budget=budget)


@pytest.mark.parametrize(
  ('number', 'like', 'text'),
  [(2**30, '2GiB', '1GiB'), (2**30, '2.5GB', '1.08GB'), (1_234_567_890, '1500 MB', '1235MB')],
)
def test_a_size_is_given_in_the_unit_of_another(number, like, text):
  assert format_like(number, like) == text
