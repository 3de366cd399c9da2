import pytest
from absl import flags as absl_flags

from vgg_slim.compat import old_flags, tf


@pytest.fixture
def parsed(monkeypatch):
  values = absl_flags.FlagValues()
  monkeypatch.setattr(tf.flags, 'FLAGS', values)
  absl_flags.DEFINE_integer('steps', 3, 'Steps.', flag_values=values)
  monkeypatch.setattr('sys.argv', ['script', '--steps=5', '--other=1'])
  return old_flags.FLAGS


def test_parse_flags_reads_the_command_line(parsed):
  parsed._parse_flags()
  assert parsed.steps == 5


def test_values_by_name(parsed):
  parsed._parse_flags()
  assert getattr(parsed, '__flags')['steps'] == 5
  assert 'steps' in parsed
  assert 'steps' in list(parsed)
  assert parsed['steps'].help == 'Steps.'


def test_values_can_be_set(parsed):
  parsed._parse_flags()
  parsed.steps = 7
  assert tf.flags.FLAGS.steps == 7
