"""Journal of the finished shards of a conversion, which resuming reads. No TensorFlow."""

import dataclasses
import json
import pathlib

from vgg_slim import files, json_objects
from vgg_slim.data import manifest
from vgg_slim.data.conversion import audit


class Journal:
  """The finished shards and their audits, one `SHARD.json` beside each, written after it."""

  def __init__(self, folder: pathlib.Path):
    self._folder = folder

  def record(self, shard: manifest.Shard, shard_audit: audit.Audit) -> None:
    """Records that a shard has been written."""
    entry = {'shard': dataclasses.asdict(shard), 'audit': shard_audit.to_json()}
    files.write_text(self._path(shard.file), json.dumps(entry))

  def read(self, file: str) -> tuple[manifest.Shard, audit.Audit]:
    """Returns the entry of the shard `file`."""
    entry = json_objects.read(self._path(file))
    return manifest.Shard(**entry['shard']), audit.Audit.from_json(entry['audit'])

  def has(self, file: str) -> bool:
    """Whether the shard is as recorded; a power cut may truncate the shard or its entry."""
    path = self._folder / file
    if not self._path(file).exists() or not path.exists():
      return False
    try:
      return manifest.sha256_of(path) == self.read(file)[0].sha256
    except (KeyError, TypeError, ValueError):  # the entry is truncated
      return False

  def remove(self, file: str) -> None:
    """Removes the entry of a shard; the shard itself stays."""
    self._path(file).unlink()

  def _path(self, file: str) -> pathlib.Path:
    return self._folder / f'{file}.json'
