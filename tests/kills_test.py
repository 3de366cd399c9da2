import pytest

from tests import kills
from tests.testing import graph_session
from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf

HEADER = 'step,train_loss,images_per_second\n'


def make_run(folder, value=1.0, metrics='1,0.5,100\n'):
  folder.mkdir()
  with graph_session() as session:
    tf.get_variable('weights', initializer=value)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(
      session, str(folder / 'model.ckpt-1'), write_meta_graph=False, write_state=False
    )
  prefixes.write_state(str(folder), ['model.ckpt-1'])
  (folder / 'metrics.csv').write_text(HEADER + metrics)
  (folder / 'events.out.tfevents.1').write_text('of this process')
  return folder


@pytest.fixture
def whole(tmp_path):
  return make_run(tmp_path / 'whole')


def test_runs_that_differ_in_speed_and_events_end_the_same(whole, tmp_path):
  killed = make_run(tmp_path / 'killed', metrics='1,0.5,90\n')
  (killed / 'events.out.tfevents.2').write_text('of another process')
  kills.check_same_end(whole, killed)


@pytest.mark.parametrize('made', [{'value': 1.0000001}, {'metrics': '1,0.4,100\n'}])
def test_other_numbers_are_another_end(whole, tmp_path, made):
  with pytest.raises(AssertionError, match=r'weights|metrics\.csv'):
    kills.check_same_end(whole, make_run(tmp_path / 'killed', **made))


def test_litter_and_another_state_file_are_another_end(whole, tmp_path):
  killed = make_run(tmp_path / 'killed')
  (killed / 'checkpoint').write_text('')
  with pytest.raises(AssertionError, match='checkpoint'):
    kills.check_same_end(whole, killed)
  killed = make_run(tmp_path / 'littered')
  (killed / 'best').mkdir()
  (killed / 'best/model.ckpt-1.index.tempstate7').touch()
  with pytest.raises(AssertionError, match='tempstate7'):
    kills.check_same_end(whole, killed)


def test_files_of_a_save_are_unfinished_until_it_is_listed(whole):
  assert kills.unfinished(whole / 'not there') == kills.unfinished(whole) == set()
  names = {'model.ckpt-2.index', 'model.ckpt-2.json', '.checkpoint.0.tmp', 'model.ckpt.tempstate1'}
  for name in names:
    (whole / name).touch()
  assert kills.unfinished(whole) == names
  prefixes.write_state(str(whole), ['model.ckpt-1', 'model.ckpt-2'])
  assert kills.unfinished(whole) == {'.checkpoint.0.tmp', 'model.ckpt.tempstate1'}


def test_a_moment_in_a_save_is_that_of_the_nth(whole):
  (whole / '.old.tmp').touch()  # from the life before
  moment = kills.InSave(whole, 2, 0.0)
  save = whole / 'model.ckpt-2.json'
  seen = []
  for saving in (False, True, True, False, True):
    save.touch() if saving else save.unlink(missing_ok=True)
    seen.append(moment())
  assert seen == [False, False, False, False, True]


def test_kills_are_counted_by_what_they_left():
  tally = kills.Tally()
  tally.count_kill(set())
  tally.count_kill({'model.ckpt-7.index', 'model.ckpt-8.index'})
  tally.count_kill({'.metrics.csv.' + 32 * 'a' + '.tmp'})
  assert tally.text() == '3 kills, 2 inside saves, 0 ends as without a kill'
  assert tally.left == {'model.ckpt-N.index': 2, '.metrics.csv.tmp': 1}
