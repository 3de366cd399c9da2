import pytest
from absl import flags

from vgg_slim.commands import flag_errors


@pytest.mark.parametrize(
  ('argument', 'message'),
  [
    ('--rate=two', 'flag --rate=two: must be a number'),
    ('--rate=', 'flag --rate=: must be a number'),
    ('--steps=1.5', 'flag --steps=1.5: must be an integer'),
    ('--flip=maybe', 'flag --flip=maybe: must be true or false, or left out'),
    ('--grid', 'Missing value for flag --grid: write --grid=VALUE'),
    (
      '--views=dens',
      'flag --views=dens: value should be one of <dense|center> (did you mean dense?)',
    ),
    ('--side=0', 'flag --side=0: 0 is not a positive integer'),
  ],
)
def test_refused_values_are_described_in_words_for_users(argument, message):
  values = flags.FlagValues()
  flags.DEFINE_float('rate', None, 'A rate.', flag_values=values)
  flags.DEFINE_integer('steps', None, 'A number of steps.', flag_values=values)
  flags.DEFINE_integer('side', None, 'A side.', lower_bound=1, flag_values=values)
  flags.DEFINE_enum('views', None, ['dense', 'center'], 'A view.', flag_values=values)
  flags.DEFINE_bool('flip', None, 'A switch.', flag_values=values)
  flags.DEFINE_string('grid', None, 'A file.', flag_values=values)
  with pytest.raises(flags.Error) as refused:
    values(['command', argument])
  assert flag_errors.reword(str(refused.value)).startswith(message)
