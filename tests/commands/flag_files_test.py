import pytest
from absl import flags
from absl.testing import flagsaver

from vgg_slim.commands import flag_files, installation
from vgg_slim.commands import train as train_flags  # noqa: F401  (defines every flag)

RECIPE = """# Two phases.
--momentum=0.8
--epochs=9
--phase=head epochs=5 learning_rate=1e-3 new_head
--phase=all epochs=10
"""


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
  """The path of a recipe that is called `mine`."""
  path = tmp_path / 'mine.flags'
  path.write_text(RECIPE)
  monkeypatch.setattr(installation, 'recipes', lambda: {'mine': path})
  return path


def expand(*arguments):
  """Returns the flags after parsing, the phases among them, and the notes."""
  argv, notes = flag_files.expand(['train', *arguments])
  with flagsaver.flagsaver():
    flags.FLAGS(argv)
    values = flags.FLAGS.flag_values_dict()
  return values, values['phase'], notes


def test_a_recipe_is_found_by_its_name(recipe):
  head, everything = 'head epochs=5 learning_rate=1e-3 new_head', 'all epochs=10'
  for arguments in (
    [f'--flagfile={recipe}'],
    ['--flagfile', str(recipe)],
    ['--recipe=mine'],
    ['--recipe', 'mine'],
  ):
    values, phases, notes = expand(*arguments)
    assert (values['momentum'], values['epochs']) == (0.8, 9.0)
    assert (phases, notes) == ([head, everything], [])


def test_flags_after_a_recipe_win_and_those_before_it_do_not():
  values, _, _ = expand('--momentum=0.5', '--seed=3', '--recipe=mine', '--seed=4')
  assert (values['momentum'], values['seed']) == (0.8, 4)


@pytest.mark.parametrize('given', [['--epochs=1'], ['--epochs', '1'], ['-epochs=1']])
def test_a_flag_after_a_recipe_wins_over_its_phases(given):
  values, phases, notes = expand('--recipe=mine', *given)
  assert values['epochs'] == 1.0
  assert phases == ['head learning_rate=1e-3 new_head', 'all']
  assert notes == [
    f'{given[0]} replaces epochs=5 in phase head of the flag file.',
    f'{given[0]} replaces epochs=10 in phase all of the flag file.',
  ]


def test_a_negated_switch_after_a_recipe_wins_over_its_phases():
  values, (head, _), notes = expand('--recipe=mine', '--nonew_head')
  assert (values['new_head'], head) == (False, 'head epochs=5 learning_rate=1e-3')
  assert notes == ['--nonew_head replaces new_head in phase head of the flag file.']


@pytest.mark.parametrize(
  'given', [['--phase=head epochs=2 seed=7'], ['--phase', 'head epochs=2 seed=7']]
)
def test_a_phase_after_a_recipe_replaces_the_one_of_its_name(given):
  _, phases, notes = expand('--recipe=mine', '--epochs=1', *given, '--phase=more seed=8')
  # The phase is as explicit as --epochs=1, so that its own value holds.
  assert phases == ['head epochs=2 seed=7', 'all', 'more seed=8']
  assert notes[0] == (
    "--phase='head epochs=2 seed=7' replaces 'head epochs=5 learning_rate=1e-3 new_head' of the "
    'flag file.'
  )


def test_values_of_phases_win_where_no_flag_file_is_given():
  values, phases, notes = expand('--phase=head epochs=5', '--epochs=1')
  assert (values['epochs'], phases, notes) == (1.0, ['head epochs=5'], [])


def test_a_flag_before_a_recipe_does_not_win_over_its_phases():
  _, phases, notes = expand('--epochs=1', '--recipe=mine')
  assert (phases[1], notes) == ('all epochs=10', [])


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--recipe=other'], 'should be one of'),
    (['--flagfile=/x.flags'], '^--flagfile=/x.flags: No such'),
  ],
)
def test_an_unknown_recipe_is_an_error_of_its_flag(arguments, message):
  with pytest.raises(flags.Error, match=message):
    expand(*arguments)


@pytest.mark.parametrize('written', [('--flagfile={}',), ('--flagfile', '{}')])
def test_a_flag_file_that_is_not_text_is_named(tmp_path, written):
  text, other = tmp_path / 'text.flags', tmp_path / 'other.flags'
  text.write_text('--epochs=1\n')
  other.write_bytes(b'\xfe\xff')
  arguments = [f'--flagfile={text}', *(part.format(other) for part in written)]
  with pytest.raises(flags.Error) as error:
    expand(*arguments)
  assert str(error.value) == f'--flagfile={other}: not a text file in UTF-8'
  text.write_text(f'--flagfile={other}\n')
  with pytest.raises(flags.Error) as error:
    expand(f'--flagfile={text}')
  assert str(error.value) == f'--flagfile={text}: names a file that is not text in UTF-8'


def test_a_recipe_within_a_flag_file_is_refused(tmp_path):
  (tmp_path / 'nested.flags').write_text('--recipe=mine\n')
  with pytest.raises(flags.Error, match='--flagfile=PATH'):
    expand(f'--flagfile={tmp_path}/nested.flags')
