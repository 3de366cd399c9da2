import pytest

from vgg_slim.configs.run import RunConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    RunConfig(batch_size=0, epochs=0, max_steps=0, seed=-1)
  for message in (
    'batch_size must be',
    'epochs must be',
    'max_steps must be',
    'seed must be',
  ):
    assert message in str(error.value)


def test_a_run_logs_every_few_steps_and_the_last():
  run = RunConfig(log_every_steps=4)
  assert [step for step in range(1, 12) if run.logs(step, total_steps=11)] == [4, 8, 11]


@pytest.mark.parametrize(
  ('run', 'steps'), [({'epochs': 2.0}, 7), ({'epochs': 0.1}, 1), ({'max_steps': 5}, 5)]
)
def test_total_steps(run, steps):
  assert RunConfig(batch_size=3, **run).total_steps(num_examples=10) == steps
