"""Which shards of a conversion are whole, for the next run to go on from. No TensorFlow."""

import dataclasses
import json
import pathlib

from vgg_slim import files
from vgg_slim.data import manifest
from vgg_slim.data.conversion import audit


class Journal:
  """The shards that are whole, each with its audit: `SHARD.json` beside it, written after it."""

  def __init__(self, folder: pathlib.Path):
    self._folder = folder

  def record(self, written: manifest.Shard, found: audit.Audit) -> None:
    """Notes that a shard has been written."""
    entry = {'shard': dataclasses.asdict(written), 'audit': found.to_json()}
    files.write_text(self._path(written.file), json.dumps(entry))

  def read(self, file: str) -> tuple[manifest.Shard, audit.Audit]:
    """What was recorded of the shard `file`."""
    entry = json.loads(self._path(file).read_text(encoding='utf-8'))
    return manifest.Shard(**entry['shard']), audit.Audit.from_json(entry['audit'])

  def has(self, file: str) -> bool:
    """Whether the shard is as it was recorded: after a power cut either may be cut short."""
    path = self._folder / file
    if not self._path(file).exists() or not path.exists():
      return False
    try:
      return manifest.sha256_of(path) == self.read(file)[0].sha256
    except (KeyError, TypeError, ValueError):  # the journal is not whole
      return False

  def remove(self, file: str) -> None:
    """Forgets a shard; the shard itself stays."""
    self._path(file).unlink()

  def _path(self, file: str) -> pathlib.Path:
    return self._folder / f'{file}.json'
