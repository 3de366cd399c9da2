import shutil

import numpy as np
import pytest

from tests.weights.fabricated import save_checkpoint
from vgg_slim.checkpoints import prefixes, search
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError, DamagedCheckpointError, OutputError
from vgg_slim.weights import slim_ckpt

ARRAYS = {'vgg_16/fc8/biases': np.ones(3, 'f')}


def test_each_file_of_a_checkpoint_names_the_checkpoint(tmp_path):
  prefix = str(tmp_path / 'model.ckpt-12')
  save_checkpoint(prefix, ARRAYS)
  names = [file.name for file in prefixes.list_files(prefix)]
  assert names == ['model.ckpt-12.data-00000-of-00001', 'model.ckpt-12.index']
  for path in (prefix, f'{prefix}.index', f'{prefix}.data-00000-of-00001'):
    assert prefixes.find_prefix(path) == prefix
  assert prefixes.find_prefix(str(tmp_path / 'model.ckpt-1')) is None


def test_a_checkpoint_that_does_not_exist_is_answered_with_those_beside_it(tmp_path):
  for step in (90, 100, 8):
    save_checkpoint(tmp_path / f'model.ckpt-{step}', ARRAYS)
  with pytest.raises(CheckpointError) as raised:
    prefixes.check_exists(str(tmp_path / 'model.ckpt-101'))
  path = tmp_path / 'model.ckpt-101'
  assert str(raised.value) == (
    f'{path} is neither a checkpoint nor a folder of one. '
    f'{tmp_path}/ holds model.ckpt-100, model.ckpt-90, model.ckpt-8.'
  )


def test_a_train_dir_stands_for_its_newest_checkpoint(tmp_path):
  assert prefixes.find_prefix(str(tmp_path)) is None
  for step in (1, 2):
    save_checkpoint(tmp_path / f'model.ckpt-{step}', ARRAYS)
  tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / 'model.ckpt-2'))
  assert prefixes.find_prefix(str(tmp_path)) == str(tmp_path / 'model.ckpt-2')


@pytest.mark.parametrize('names', [['model.ckpt-1'], ['weights', 'trained']])
def test_a_copied_train_dir_does_not_refer_to_the_original(tmp_path, names):
  """TensorFlow writes absolute paths into the state file."""
  before, after = tmp_path / 'before', tmp_path / 'after'
  for name in names:
    save_checkpoint(before / name, ARRAYS)
  paths = [str(before / name) for name in names]
  tf.train.update_checkpoint_state(str(before), paths[-1], all_model_checkpoint_paths=paths)
  assert str(before) in (before / 'checkpoint').read_text()
  shutil.copytree(before, after)
  assert prefixes.find_prefix(str(after)) == str(after / names[-1])
  assert prefixes.kept(str(after)) == [str(after / name) for name in names]
  shutil.rmtree(before)
  assert prefixes.find_prefix(str(after)) == str(after / names[-1])


def test_a_state_file_without_its_checkpoint_is_ignored(tmp_path):
  tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / 'model.ckpt-1'))
  assert prefixes.find_prefix(str(tmp_path)) is None
  assert prefixes.list_candidates(str(tmp_path)) == []


def test_tensorflow_reads_the_state_file_in_a_moved_folder(tmp_path):
  for step in (9, 10):
    save_checkpoint(tmp_path / 'a' / f'model.ckpt-{step}', ARRAYS)
  prefixes.write_state(str(tmp_path / 'a'), ['model.ckpt-9', 'model.ckpt-10'])
  (tmp_path / 'a').rename(tmp_path / 'b')
  assert tf.train.latest_checkpoint(str(tmp_path / 'b')) == str(tmp_path / 'b' / 'model.ckpt-10')
  state = tf.train.get_checkpoint_state(str(tmp_path / 'b'))
  assert list(state.all_model_checkpoint_paths) == [
    str(tmp_path / 'b' / f'model.ckpt-{step}') for step in (9, 10)
  ]


@pytest.mark.parametrize('state', [None, '', 'garbage', b'\xff\xfe\x00', 'all_model_checkpoint'])
def test_without_a_readable_state_file_the_folder_is_listed(tmp_path, state):
  for step in (9, 10):
    save_checkpoint(tmp_path / f'model.ckpt-{step}', ARRAYS)
  if state is not None:
    (tmp_path / 'checkpoint').write_bytes(state if isinstance(state, bytes) else state.encode())
  expected = [str(tmp_path / f'model.ckpt-{step}') for step in (10, 9)]
  assert prefixes.list_candidates(str(tmp_path)) == expected
  assert prefixes.kept(str(tmp_path)) == expected[::-1]


def make_files(folder, *names):
  for name in names:
    (folder / name).write_text(name)


DATA = 'data-00000-of-00001'


def test_leftovers_of_killed_processes_are_removed(tmp_path):
  intact = [f'model.ckpt-{step}.{ending}' for step in (3, 6) for ending in ('index', DATA, 'json')]
  damaged = ['model.ckpt-2.index', f'model.ckpt-1.{DATA}']  # kept because the state file lists them
  others = ['weights.index', f'notes.{DATA}', 'model.ckpt-best.json', '.hidden', 'a.tmp']
  make_files(
    tmp_path,
    *(*intact, *damaged, *others),
    f'model.ckpt-9.{DATA}',
    f'model.ckpt-9.{DATA}.tempstate123',
    'model.ckpt-9.index.tempstate123',
    'model.ckpt-8.index',
    'model.ckpt-7.json',
    '.checkpoint.0a1b.tmp',
  )
  prefixes.write_state(str(tmp_path), [f'model.ckpt-{step}' for step in (1, 2, 3)])
  prefixes.remove_leftovers(str(tmp_path))
  expected = {*intact, *damaged, *others, 'checkpoint'}
  assert {path.name for path in tmp_path.iterdir()} == expected


def test_without_a_state_file_an_index_is_never_a_leftover(tmp_path):
  make_files(tmp_path, 'model.ckpt-8.index', 'model.ckpt-8.json', f'model.ckpt-9.{DATA}')
  prefixes.remove_leftovers(str(tmp_path))
  assert {path.name for path in tmp_path.iterdir()} == {'model.ckpt-8.index', 'model.ckpt-8.json'}


def test_removing_a_checkpoint_leaves_the_others(tmp_path):
  for step in (1, 11):
    make_files(tmp_path, *(f'model.ckpt-{step}.{ending}' for ending in ('index', DATA, 'json')))
  prefixes.remove(str(tmp_path / 'model.ckpt-1'))
  assert {path.name.split('.')[1] for path in tmp_path.iterdir()} == {'ckpt-11'}


def test_kept_lists_existing_checkpoints_oldest_first(tmp_path):
  assert prefixes.kept(str(tmp_path)) == []
  paths = [str(tmp_path / f'model.ckpt-{step}') for step in (8, 9, 10)]
  for path in paths[1:]:
    save_checkpoint(path, ARRAYS)
  tf.train.update_checkpoint_state(str(tmp_path), paths[-1], all_model_checkpoint_paths=paths)
  assert prefixes.kept(str(tmp_path)) == paths[1:]


def test_a_mistyped_folder_is_answered_with_the_one_that_was_meant(tmp_path):
  (tmp_path / 'photos').mkdir()
  (tmp_path / 'photos.csv').touch()
  with pytest.raises(CheckpointError, match='neither a .* of one. Did you mean .*/photos[?]$'):
    prefixes.check_exists(str(tmp_path / 'phot'))
  with pytest.raises(CheckpointError, match='photos holds no checkpoint.$'):
    prefixes.check_exists(str(tmp_path / 'photos'))


def test_a_folder_of_phases_is_answered_with_the_folders_that_hold_checkpoints(tmp_path):
  for phase in ('2_all', '1_head', '3_more'):
    (tmp_path / phase).mkdir()
    if phase == '3_more':
      prefixes.write_state(str(tmp_path / phase), ['model.ckpt-1'])  # whose files are gone
    else:
      save_checkpoint(str(tmp_path / phase / 'model.ckpt-1'), ARRAYS)
      prefixes.write_state(str(tmp_path / phase), ['model.ckpt-1'])
  below = f'{tmp_path}/1_head, {tmp_path}/2_all'
  with pytest.raises(CheckpointError, match=f'holds no checkpoint. Folders below it do: {below}.$'):
    prefixes.check_exists(str(tmp_path))


@pytest.mark.parametrize(
  ('folder', 'pattern'),
  [
    ('x [3]', '[3]'),
    ('a\\b', '\\'),
    ('a []b] c', '[]b]'),
    ('a [b/c] d', '[b/c]'),
    ('a [!]] b', '[!]]'),
    *(
      (name, None)
      for name in ('x[', 'x]', 'x*y', 'x?y', 'x{1}', 'x!', 'x[!]', 'x[^]', 'x@1', '[', 'a,b', 'é')
    ),
  ],
)
def test_a_path_that_tensorflow_takes_for_a_pattern_is_not_called_damaged(
  tmp_path, folder, pattern
):
  (tmp_path / folder).mkdir(parents=True)
  prefix = str(tmp_path / folder / 'model.ckpt-1')
  save_checkpoint(prefix, ARRAYS)
  if pattern is None:
    assert prefixes.path_problem(prefix) is None
    tf.train.NewCheckpointReader(prefix)
    assert search.find(str(tmp_path / folder)) == prefix
    return
  with pytest.raises(tf.errors.OpError):
    tf.train.NewCheckpointReader(prefix)
  run = str(tmp_path / folder)
  for find, path in (
    (search.find, run),
    (search.search, run),
    (search.shapes, prefix),
    (slim_ckpt.read, prefix),
  ):
    with pytest.raises(CheckpointError, match='for a pattern and finds no checkpoint') as raised:
      find(path)
    assert not isinstance(raised.value, DamagedCheckpointError)
    assert f'takes {pattern} for a pattern' in str(raised.value)


@pytest.mark.parametrize(
  ('name', 'plain'),
  [('photos [3]', 'photos 3'), ('photos [3', 'photos [3'), ('caf\udce9 [1', 'caf [1')],
)
def test_a_name_without_what_tensorflow_cannot_open(name, plain):
  assert prefixes.without_pattern(name) == plain
  assert prefixes.path_problem(plain) is None


def test_a_name_that_is_not_utf8_is_refused():
  with pytest.raises(OutputError, match='^--train_dir=.*: the name is not UTF-8, which TensorFlow'):
    prefixes.check_output('caf\udce9', '--train_dir')
