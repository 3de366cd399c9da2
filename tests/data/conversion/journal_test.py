import pytest

from vgg_slim.data import shards
from vgg_slim.data.conversion import audit, journal


@pytest.fixture
def recorded(tmp_path):
  """A folder with a shard, its journal, and what was recorded."""
  found = audit.Audit.empty(2)
  found.add_good('a/0.png', 1, (3, 4), b'0123456789abcdef')
  written = shards.write_shard(tmp_path / 'shard', [b'frame'])
  journal.Journal(tmp_path).record(written, found)
  return tmp_path, written, found


def test_what_was_recorded_is_read(recorded):
  folder, written, found = recorded
  read, again = journal.Journal(folder).read('shard')
  assert read == written
  assert again.to_json() == found.to_json()


def test_a_shard_counts_while_it_is_as_it_was_recorded(recorded):
  folder, _, _ = recorded
  done = journal.Journal(folder)
  assert done.has('shard')
  assert not done.has('other')
  (folder / 'shard').write_bytes(b'fram')
  assert not done.has('shard')


@pytest.mark.parametrize('text', ['', '{"shard": {}}'])
def test_a_journal_that_is_not_whole_counts_for_nothing(recorded, text):
  folder, _, _ = recorded
  (folder / 'shard.json').write_text(text)
  assert not journal.Journal(folder).has('shard')


def test_what_is_removed_is_forgotten_and_the_shard_stays(recorded):
  folder, _, _ = recorded
  journal.Journal(folder).remove('shard')
  assert [path.name for path in folder.iterdir()] == ['shard']
