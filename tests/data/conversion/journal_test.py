import pytest

from vgg_slim.data import shards
from vgg_slim.data.conversion import audit, journal


@pytest.fixture
def recorded(tmp_path):
  """A folder with a shard and its journal entry, and the two things that were recorded."""
  shard_audit = audit.Audit.empty(2)
  shard_audit.add_good('a/0.png', 1, (3, 4), b'0123456789abcdef')
  shard = shards.write_shard(tmp_path / 'shard', [b'frame'])
  journal.Journal(tmp_path).record(shard, shard_audit)
  return tmp_path, shard, shard_audit


def test_an_entry_is_read_as_it_was_recorded(recorded):
  folder, shard, shard_audit = recorded
  read, again = journal.Journal(folder).read('shard')
  assert read == shard
  assert again.to_json() == shard_audit.to_json()


def test_a_shard_counts_as_finished_only_while_it_is_as_recorded(recorded):
  folder, _, _ = recorded
  done = journal.Journal(folder)
  assert done.has('shard')
  assert not done.has('other')
  (folder / 'shard').write_bytes(b'fram')
  assert not done.has('shard')


@pytest.mark.parametrize('text', ['', '{"shard": {}}'])
def test_a_truncated_entry_is_ignored(recorded, text):
  folder, _, _ = recorded
  (folder / 'shard.json').write_text(text)
  assert not journal.Journal(folder).has('shard')


def test_removing_an_entry_keeps_the_shard(recorded):
  folder, _, _ = recorded
  journal.Journal(folder).remove('shard')
  assert [path.name for path in folder.iterdir()] == ['shard']
