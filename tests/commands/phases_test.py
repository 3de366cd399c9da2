import pytest
from absl import flags
from absl.testing import flagsaver

from vgg_slim.commands import phases
from vgg_slim.commands import train as _  # noqa: F401  (defines every flag)
from vgg_slim.errors import CheckpointError, ConfigError


@pytest.fixture(autouse=True)
def parsed():
  with flagsaver.flagsaver():
    flags.FLAGS(['test', '--momentum=0.5'])
    yield


def parse(*texts):
  flags.FLAGS.phase = list(texts)
  return phases.phases_from_flags()


def test_names_and_flags_are_parsed():
  head, rest = parse('head  epochs=5 trainable_scopes=a,b', 'all --from_net_a learning_rate=1e-5')
  assert head == phases.Phase('1_head', {'epochs': '5', 'trainable_scopes': 'a,b'})
  assert rest == phases.Phase('2_all', {'from_net_a': 'true', 'learning_rate': '1e-5'})


def test_flags_have_the_values_of_a_phase_within_it_only():
  (phase,) = parse('head epochs=5 trainable_scopes=a,b new_head')
  before = flags.FLAGS.flag_values_dict()
  with phases.applied(phase):
    values = flags.FLAGS
    assert (values.epochs, values.trainable_scopes, values.new_head) == (5.0, ['a', 'b'], True)
    assert values.momentum == 0.5
  assert flags.FLAGS.flag_values_dict() == before


def test_a_phase_restores_all_of_the_one_before():
  flags.FLAGS.new_head = True
  flags.FLAGS.checkpoint_path = 'weights/vgg16'
  deeper, other = (
    phases.following('run/1_a/model.ckpt-9', phase)
    for phase in parse('deeper from_net_a', 'other checkpoint_path=elsewhere')
  )
  with phases.applied(deeper):
    values = flags.FLAGS
    assert values.checkpoint_path == 'run/1_a/model.ckpt-9'
    assert (values.new_head, values.from_net_a) == (False, True)
  with phases.applied(other):
    assert flags.FLAGS.checkpoint_path == 'elsewhere'


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('../x epochs=1', 'must start with a name of letters'),
    ('', 'must start with a name of letters'),
    ('head depth=9', "'depth' is not a flag that a phase can change"),
    ('head train_dir=x', "'train_dir' is not a flag that a phase can change"),
    ('head num_threads=2', "'num_threads' is not a flag that a phase can change"),
  ],
)
def test_errors_name_the_mistake(text, message):
  with pytest.raises(ConfigError, match=message):
    parse(text)


def test_the_phases_in_a_folder_are_found_in_order(tmp_path):
  for name in ('10_last', '2_all', '1_head', 'best', '3_empty'):
    (tmp_path / name).mkdir()
    if name != '3_empty':
      (tmp_path / name / 'config.json').touch()
  folders = phases.find(str(tmp_path))
  assert folders == [str(tmp_path / name) for name in ('1_head', '2_all', '10_last')]


def test_runs_with_and_without_phases_do_not_share_a_folder(tmp_path):
  phases.check_folder(str(tmp_path), has_phases=True)
  phases.check_folder(str(tmp_path), has_phases=False)
  (tmp_path / '1_head').mkdir()
  (tmp_path / '1_head' / 'config.json').touch()
  phases.check_folder(str(tmp_path), has_phases=True)
  with pytest.raises(CheckpointError, match=r'holds a run with phases: \S+/1_head[.] Resume it'):
    phases.check_folder(str(tmp_path), has_phases=False)
  (tmp_path / 'model.ckpt-1.index').touch()
  with pytest.raises(CheckpointError, match='holds a run without phases. Leave --phase out'):
    phases.check_folder(str(tmp_path), has_phases=True)


def test_an_invalid_value_leaves_all_flags_unchanged():
  (phase,) = parse('head batch_size=3 epochs=many')
  before = flags.FLAGS.batch_size
  with pytest.raises(ConfigError, match='Phase 1_head: .*epochs=many'), phases.applied(phase):
    pass
  assert flags.FLAGS.batch_size == before
